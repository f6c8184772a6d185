"""conanfile.py - Skerry for Conan 2: `conan create packaging/conan` from the project's tree.

The recipe takes the sources of the tree it lies in. docs/packaging.md says how it is tested.
"""
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.0"


class SkerryRecipe(ConanFile):
    name = "skerry"
    description = "An embeddable, durable, updatable vector index"
    license = "Apache-2.0"
    topics = ("vector-search", "embeddings", "nearest-neighbours", "hnsw", "database")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]

    @property
    def _tree(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._tree, "include", "skerry", "version.h"))
        self.version = ".".join(re.findall(r"#define SKERRY_VERSION_[A-Z]+ (\d+)", header))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "cmake/*", "include/*", "src/*", "LICENSE", "README.md",
                        "CHANGELOG.md"):
            copy(self, pattern, src=self._tree, dst=self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("lmdb/[>=0.9.24 <1]")

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux" or self.settings.arch not in ("x86_64", "armv8"):
            raise ConanInvalidConfiguration("expected Linux on x86_64 or armv8, given "
                                            f"{self.settings.os} on {self.settings.arch}")

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "CLI", "BENCH", "EXAMPLES"):
            toolchain.cache_variables[f"SKERRY_BUILD_{part}"] = False
        toolchain.cache_variables["SKERRY_WERROR"] = False
        # LMDB comes as a header and a library: cmake/FindLMDB.cmake looks there.
        toolchain.cache_variables["LMDB_ROOT"] = self.dependencies["lmdb"].package_folder
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder,
             dst=os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan writes these for whoever uses the package, out of package_info().
        for folder in ("cmake", "pkgconfig"):
            rmdir(self, os.path.join(self.package_folder, "lib", folder))
        rmdir(self, os.path.join(self.package_folder, "share"))

    def package_info(self):
        self.cpp_info.libs = ["skerry"]
        self.cpp_info.requires = ["lmdb::lmdb"]
        self.cpp_info.system_libs = ["pthread"]
        if self.options.shared:
            self.cpp_info.defines = ["SKERRY_SHARED"]
        self.cpp_info.set_property("cmake_file_name", "skerry")
        self.cpp_info.set_property("cmake_target_name", "skerry::skerry")
        self.cpp_info.set_property("pkg_config_name", "skerry")
