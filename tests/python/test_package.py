"""test_package.py - the package itself: documentation, stubs, versions, and whether it installs."""
import ast
import inspect
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

import skerry
from skerry import _skerry

ROOT = pathlib.Path(__file__).resolve().parents[2]


def members(kind):
    """The public methods and properties that a class of ours has, with those it inherits."""
    return {name: value for base in reversed(kind.__mro__) if base.__module__.startswith("skerry")
            for name, value in vars(base).items() if not name.startswith("_")}


class Documentation(unittest.TestCase):
    def test_every_public_name_has_a_docstring(self):
        for name in skerry.__all__:
            if name == "__version__":
                continue
            thing = getattr(skerry, name)
            self.assertGreater(len(inspect.getdoc(thing) or ""), 10, name)
            if inspect.isclass(thing):
                fields = getattr(thing, "__annotations__", {})
                for member, value in members(thing).items():
                    if member in fields or member == "code":
                        continue  # a field of a report: its comment says it
                    self.assertGreater(len(inspect.getdoc(value) or ""), 10, f"{name}.{member}")

    def test_every_argument_of_a_search_is_explained(self):
        for function in (skerry.Index.search, skerry.Index.add, skerry.Collection.add,
                         skerry.Index, skerry.open):
            text = inspect.getdoc(function)
            for name in inspect.signature(function).parameters:
                if name not in ("self", "path"):
                    self.assertRegex(text, rf"\b{name}\b", function)

    def test_the_manual_names_everything(self):
        manual = (ROOT / "docs/python.md").read_text()
        for name in skerry.__all__:
            self.assertIn(name, manual)


class Stubs(unittest.TestCase):
    def test_they_name_what_the_extension_has(self):
        tree = ast.parse((ROOT / "python/skerry/_skerry.pyi").read_text())
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}

        def methods(node):
            found = {}
            for base in node.bases:
                found.update(methods(classes[base.id]))
            found.update({item.name: item for item in node.body
                          if isinstance(item, ast.FunctionDef)})
            return found

        for name, node in classes.items():
            if name.startswith("_"):
                continue
            stubs = methods(node)
            runtime = {member: value for member, value in vars(getattr(_skerry, name)).items()
                       if not member.startswith("_") or member == "__iter__"}
            self.assertEqual(sorted(stubs), sorted(runtime), name)
            for member, stub in stubs.items():
                self.check(f"{name}.{member}", stub, runtime[member])
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        public = {name for name in vars(_skerry) if not name.startswith("_")}
        self.assertEqual(public, set(functions) | {name for name in classes if name[0] != "_"})
        for name, stub in functions.items():
            self.check(name, stub, getattr(_skerry, name))

    def check(self, name, stub, runtime):
        decorators = {item.id for item in stub.decorator_list}
        self.assertEqual("property" in decorators, isinstance(runtime, property), name)
        if "property" in decorators:
            return
        self.assertEqual("staticmethod" in decorators, isinstance(runtime, staticmethod), name)
        function = runtime.__func__ if isinstance(runtime, staticmethod) else runtime
        # pybind11 writes the signature into the first line: name(self: type, arg0: handle) -> type
        arguments = re.search(r"\((.*)\) ->", function.__doc__)[1]
        count = len(re.findall(r"\w+: ", arguments))
        self.assertEqual(len(stub.args.posonlyargs) + len(stub.args.args), count, name)

    def test_every_function_of_the_package_is_typed(self):
        for path in (ROOT / "python/skerry").glob("_*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                    untyped = [item.arg for item in arguments
                               if item.annotation is None and item.arg not in ("self", "cls")]
                    self.assertEqual((untyped, node.returns is None), ([], False),
                                     f"{path.name}: {node.name}")
        self.assertTrue((ROOT / "python/skerry/py.typed").exists())


class Versions(unittest.TestCase):
    def test_is_that_of_the_header(self):
        header = (ROOT / "include/skerry/version.h").read_text()
        numbers = re.findall(r"#define SKERRY_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
        self.assertEqual(skerry.__version__, ".".join(numbers))
        self.assertIn(skerry.target(), ("scalar", "avx2", "avx512", "neon"))

    def test_pyproject_builds_with_options_that_there_are(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        self.assertEqual(project["build-system"]["build-backend"], "scikit_build_core.build")
        self.assertEqual(project["project"]["name"], "skerry")
        self.assertEqual(project["project"]["dynamic"], ["version"])
        settings = project["tool"]["scikit-build"]
        cmake = (ROOT / "CMakeLists.txt").read_text() + \
            (ROOT / "src/python/CMakeLists.txt").read_text()
        for name in settings["cmake"]["define"]:
            self.assertRegex(cmake, rf"(option|set)\({name} ")
        version = settings["metadata"]["version"]
        header = (ROOT / version["input"]).read_text()
        found = re.search(version["regex"], header)
        self.assertEqual(version["result"].format(**found.groupdict()), skerry.__version__)


class Installed(unittest.TestCase):
    def test_the_package_works_where_it_is_installed(self):
        with tempfile.TemporaryDirectory() as prefix:
            subprocess.run(["cmake", "--install", os.environ["SKERRY_BUILD_DIR"], "--component",
                            "python", "--prefix", prefix], check=True, capture_output=True)
            place = pathlib.Path(prefix, "lib/python3/dist-packages")
            names = sorted(path.name for path in (place / "skerry").iterdir())
            for name in ("__init__.py", "py.typed", "_skerry.pyi"):
                self.assertIn(name, names)
            program = ("import skerry, numpy as np; index = skerry.Index(2); "
                       "index.add(1, [1, 2]); print(skerry.__file__, index.search([1, 2]).counts)")
            environment = {**os.environ, "PYTHONPATH": str(place)}
            done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True,
                                  text=True, env=environment, cwd=prefix)
            self.assertEqual(done.stdout.split(), [str(place / "skerry/__init__.py"), "1"])


if __name__ == "__main__":
    unittest.main()
