"""test_debian.py - does debian/ fit the tree? A build of the packages is scripts/package.sh's.

What `cmake --install` puts where is asked of the build in SKERRY_BUILD; each file must be in one package,
or in debian/not-installed, as dh_missing would find out at the end of a long build.
"""
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "debian"
BUILD = pathlib.Path(os.environ["SKERRY_BUILD"])
LIBDIR = "usr/lib/x86_64-linux-gnu"


def read(path):
    return path.read_text(encoding="utf-8")


def stanzas(text):
    """The stanzas of a control file, each a dict of its fields."""
    for stanza in re.split(r"\n\s*\n", text.strip()):
        yield dict(re.findall(r"^([\w-]+):[ \t]*((?:.*\n?)(?:^[ \t].*\n?)*)", stanza, re.M))


def patterns(path):
    """The first words of a debhelper file: what it takes."""
    return [line.split()[0] for line in read(path).splitlines() if line.strip()]


def version():
    return ".".join(re.findall(r"#define SKERRY_VERSION_[A-Z]+ (\d+)",
                               read(ROOT / "include/skerry/version.h")))


class Debian(unittest.TestCase):
    def test_the_version_is_the_headers(self):
        first = re.match(r"skerry \(([\d.]+)-\d+\) ", read(DEBIAN / "changelog"))
        self.assertEqual(first and first[1], version(), "debian/changelog's first entry")

    def test_the_library_is_named_by_its_soname(self):
        packages = [stanza["Package"].strip() for stanza in stanzas(read(DEBIAN / "control"))
                    if "Package" in stanza]
        self.assertIn(f"libskerry{version().split('.')[0]}", packages)
        for package in packages:
            self.assertTrue((DEBIAN / f"{package}.install").is_file(), f"{package} takes nothing")
        named = {path.name.split(".")[0] for path in DEBIAN.glob("*.install")}
        self.assertEqual(named, set(packages))

    def test_every_file_is_in_one_package(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="skerry-debian-"))
        self.addCleanup(shutil.rmtree, folder)
        subprocess.run(["cmake", "--install", BUILD, "--prefix", folder / "usr"], check=True,
                       capture_output=True)
        installed = set()
        for path in folder.rglob("*"):
            if path.is_dir():
                continue
            name = re.sub(r"^usr/lib(/[\w-]+-linux-gnu)?/(?=libskerry|cmake/|pkgconfig/)", f"{LIBDIR}/",
                          path.relative_to(folder).as_posix())
            if name.endswith("/libskerry.a"):  # packages have the shared one, with its links
                name = name[:-1] + "so"
                installed |= {f"{name}.{version().split('.')[0]}", f"{name}.{version()}"}
            installed.add(name)
        self.assertIn("usr/include/skerry/index.h", installed)

        takers = {name: [] for name in installed}
        unmet = []
        files = {*DEBIAN.glob("*.install"), DEBIAN / "not-installed"}
        if "SKERRY_BUILD_PYTHON:BOOL=ON" not in read(BUILD / "CMakeCache.txt"):
            files.remove(DEBIAN / "python3-skerry.install")
        for file in sorted(files):
            for pattern in patterns(file):
                taken = [name for name in installed if fnmatch.fnmatchcase(name, pattern)
                         or fnmatch.fnmatchcase(name, pattern + "/*")]
                if not taken and not list(ROOT.glob(pattern)):
                    unmet.append(f"{file.name}: {pattern}")
                for name in taken:
                    takers[name].append(file.name)
        self.assertEqual(unmet, [], "these patterns take nothing")
        for name, files in sorted(takers.items()):
            self.assertEqual(len(files), 1, f"{name} is taken by {files or 'nobody'}")

    def test_the_data_of_the_demo_is_all_there(self):
        shipped = {path.name for pattern in patterns(DEBIAN / "skerry-data.install") for path in ROOT.glob(pattern)}
        for name, extension in re.findall(r'load\("([\w-]+)", "(\w+)"', read(ROOT / "src/cli/demo.cc")):
            self.assertLessEqual({f"{name}.base.{extension}", f"{name}.query.fbin"}, shipped)
        self.assertEqual(len(shipped), 6)


if __name__ == "__main__":
    unittest.main()
