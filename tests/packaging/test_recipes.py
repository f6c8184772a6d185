"""test_recipes.py - do the recipes build and package what Conan and vcpkg would?

Neither is in Debian. What Conan's recipe uses of Conan is stood in for here, by what its manual says of
each; a name or an argument that is not among it fails. The methods are called in Conan's order: the
sources are exported into a folder of their own, and the library is really configured, built and
installed from there, without optimisation. vcpkg's stand-in is vcpkg_port.cmake.

Both take the same sources, those that Conan's recipe exports, and build in the same folder, so the
library is compiled once. All of it is in the folder SKERRY_RECIPES.
"""
import fnmatch
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPE = ROOT / "packaging" / "conan" / "conanfile.py"
FOLDER = pathlib.Path(os.environ["SKERRY_RECIPES"])
TREE, BUILD, PORT = FOLDER / "tree", FOLDER / "build", FOLDER / "vcpkg"


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"this failed: {command}\n{done.stdout}{done.stderr}")
    return done.stdout


class InvalidConfiguration(Exception):
    pass


class Options:
    def __init__(self, values):
        self.__dict__.update(values)


class ConanFile:
    def __init__(self, folder, **options):
        self.recipe_folder = str(RECIPE.parent)
        self.export_sources_folder = str(TREE)
        self.source_folder = self.export_sources_folder
        self.build_folder = str(BUILD)
        self.package_folder = str(folder / "package")
        self.options = Options({**self.default_options, **options})
        for name, value in vars(self.options).items():
            assert value in type(self).options[name]
        self.settings = types.SimpleNamespace(os="Linux", arch="x86_64", compiler="gcc", build_type="Debug")
        self.required = []
        self.cpp_info = CppInfo()
        self.dependencies = {"lmdb": types.SimpleNamespace(package_folder="/usr")}

    def requires(self, reference):
        self.required.append(reference)


class CppInfo:
    def __init__(self):
        self.libs, self.requires, self.system_libs, self.defines = [], [], [], []
        self.properties = {}

    def set_property(self, name, value):
        assert name in ("cmake_file_name", "cmake_target_name", "pkg_config_name"), name
        self.properties[name] = value


class CMakeToolchain:
    """What generate() leaves for configure()."""

    def __init__(self, recipe):
        self.recipe, self.cache_variables = recipe, {}

    def generate(self):
        shared = self.recipe.options.shared
        self.recipe.toolchain = {"BUILD_SHARED_LIBS": shared, **self.cache_variables}


class CMake:
    def __init__(self, recipe):
        self.recipe = recipe

    def configure(self):
        value = {True: "ON", False: "OFF"}
        run("cmake", "-S", self.recipe.source_folder, "-B", BUILD, "-G", "Ninja",
            f"-DCMAKE_INSTALL_PREFIX={self.recipe.package_folder}", "-DCMAKE_INSTALL_LIBDIR=lib",
            "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DCMAKE_UNITY_BUILD=ON",
            "-DCMAKE_UNITY_BUILD_BATCH_SIZE=24",
            *(f"-D{name}={value.get(given, given)}" for name, given in self.recipe.toolchain.items()))

    def build(self):
        run("cmake", "--build", BUILD)

    def install(self):
        run("cmake", "--install", BUILD)


def copy(recipe, pattern, src, dst):
    """As Conan's: patterns match paths below src, * also matches /, folders are kept."""
    tree = pathlib.Path(src).resolve()
    top = tree / pattern.partition("/")[0] if "/" in pattern else tree
    for path in sorted(top.rglob("*") if "/" in pattern else top.iterdir()):
        relative = path.relative_to(tree)
        if path.is_file() and fnmatch.fnmatchcase(relative.as_posix(), pattern):
            target = pathlib.Path(dst) / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def rmdir(recipe, path):
    shutil.rmtree(path, ignore_errors=True)


def check_min_cppstd(recipe, standard):
    recipe.standard = standard


def load_recipe():
    modules = {
        "conan": {"ConanFile": ConanFile},
        "conan.errors": {"ConanInvalidConfiguration": InvalidConfiguration},
        "conan.tools": {},
        "conan.tools.build": {"check_min_cppstd": check_min_cppstd},
        "conan.tools.cmake": {"CMake": CMake, "CMakeToolchain": CMakeToolchain,
                              "cmake_layout": lambda recipe: None},
        "conan.tools.files": {"copy": copy, "rmdir": rmdir,
                              "load": lambda recipe, path: pathlib.Path(path).read_text("utf-8")},
    }
    for name, members in modules.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        sys.modules[name] = module
    spec = importlib.util.spec_from_file_location("conanfile", RECIPE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SkerryRecipe


def setUpModule():
    # Times of files are kept, so what has not changed since the last run is not compiled again.
    shutil.rmtree(TREE, ignore_errors=True)
    load_recipe()(FOLDER).export_sources()


class Conan(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skerry-conan-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.recipe_class = load_recipe()

    def made(self, **options):
        recipe = self.recipe_class(self.folder, **options)
        recipe.set_version()
        recipe.layout()
        recipe.requirements()
        recipe.validate()
        recipe.generate()
        return recipe

    def test_a_program_is_built_with_the_package(self):
        recipe = self.made()
        recipe.build()
        recipe.package()
        recipe.package_info()
        package = pathlib.Path(recipe.package_folder)
        found = sorted({path.relative_to(package).parts[0] for path in package.rglob("*") if path.is_file()})
        self.assertEqual(found, ["include", "lib", "licenses"])
        self.assertEqual([path.name for path in (package / "lib").iterdir()], ["libskerry.a"])
        # As CMakeDeps would, from what package_info() says.
        info = recipe.cpp_info
        self.assertEqual(info.requires, ["lmdb::lmdb"])
        program = self.folder / "consumer"
        run("c++", "-std=c++20", f"-I{package}/include", *(f"-D{define}" for define in info.defines),
            ROOT / "tests/consumers/find_package/main.cc", "-o", program, f"-L{package}/lib",
            *(f"-l{name}" for name in [*info.libs, "lmdb", *info.system_libs]))
        self.assertIn(f"skerry {recipe.version}, right answer", run(program))

    def test_a_shared_package_says_so(self):
        recipe = self.made(shared=True)
        recipe.package_info()
        self.assertTrue(recipe.toolchain["BUILD_SHARED_LIBS"])
        self.assertEqual(recipe.cpp_info.defines, ["SKERRY_SHARED"])
        self.assertEqual(recipe.cpp_info.properties["cmake_target_name"], "skerry::skerry")

    def test_what_cannot_be_built_is_refused(self):
        recipe = self.recipe_class(self.folder)
        recipe.settings.os = "Windows"
        with self.assertRaises(InvalidConfiguration):
            recipe.validate()

    def test_lmdb_is_the_only_requirement(self):
        self.assertEqual([name.split("/")[0] for name in self.made().required], ["lmdb"])


class Vcpkg(unittest.TestCase):
    def test_a_program_is_built_with_the_port(self):
        for folder in ("packaging/vcpkg", "tests/consumers"):
            shutil.copytree(ROOT / folder, TREE / folder, dirs_exist_ok=True)
        run("cmake", f"-DPORT_FOLDER={TREE}/packaging/vcpkg", f"-DWORK={PORT}", f"-DBUILD={BUILD}",
            "-P", pathlib.Path(__file__).with_name("vcpkg_port.cmake"))


if __name__ == "__main__":
    unittest.main()
