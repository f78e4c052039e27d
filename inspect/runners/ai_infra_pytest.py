"""Runs a project's Python tests and writes one JSON line an event: with pytest, or with unittest where it is missing.

usage: ai_infra_pytest.py EVENTS SETTINGS   (SETTINGS is JSON: only, ignore, cache)
"""
import importlib.util
import json
import os
import re
import sys


class Events:
    """One JSON line an event, written at once, so that a crash loses nothing. A forked child writes nothing."""

    def __init__(self, path):
        self.owner = os.getpid()
        self.file = open(path, "w", encoding="utf-8")

    def write(self, event, **rest):
        if os.getpid() != self.owner:
            return
        rest = {k: clean(v) if isinstance(v, str) else v for k, v in rest.items()}
        self.file.write(json.dumps(dict(rest, event=event)) + "\n")
        self.file.flush()


def clean(text):
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:4000]


def reason(report):
    """The line of a pytest report that says why."""
    longrepr = report.longrepr
    if longrepr is None:
        return ""
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    lines = [line for line in str(longrepr).splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or lines or [""])[-1]


class Plugin:
    def __init__(self, events, only):
        self.events, self.only, self.seen = events, set(only), False

    def pytest_collection_modifyitems(self, config, items):
        if not self.only:
            return
        kept = [item for item in items if item.nodeid in self.only]
        dropped = [item for item in items if item.nodeid not in self.only]
        if dropped:
            config.hook.pytest_deselected(items=dropped)
        items[:] = kept

    def pytest_runtest_logstart(self, nodeid, location):
        self.seen = True
        self.events.write("start", id=nodeid)

    def pytest_runtest_logfinish(self, nodeid, location):
        self.events.write("end", id=nodeid)

    def pytest_runtest_logreport(self, report):
        self.seen = True
        self.events.write(
            "report",
            id=report.nodeid,
            when=str(report.when),
            outcome=str(report.outcome),
            xfail=hasattr(report, "wasxfail"),
            message=reason(report),
        )

    def pytest_collectreport(self, report):
        if report.failed or report.skipped:
            self.seen = True
            self.events.write("collect", id=report.nodeid, outcome=report.outcome, message=reason(report))

    def pytest_internalerror(self, excrepr):
        self.events.write("internal", message=str(excrepr).strip().splitlines()[-1])

    def pytest_sessionfinish(self, session, exitstatus):
        self.events.write("finish", exit=int(exitstatus))


def run_pytest(events, settings):
    import pytest

    args = ["-q", "--color=no", "--tb=short", "--maxfail=0", "--continue-on-collection-errors"]
    args += ["-o", "cache_dir=" + settings["cache"]]
    args += ["--ignore=" + path for path in settings["ignore"]]
    if settings["only"] and importlib.util.find_spec("xdist"):
        args += ["-n", "0"]
    events.write("runner", name="pytest " + pytest.__version__)
    plugin = Plugin(events, settings["only"])
    code = int(pytest.main(list(args), plugins=[plugin]))
    if code == 4 and not plugin.seen:
        plugin = Plugin(events, settings["only"])
        again = int(pytest.main(args + ["-o", "addopts=", "-o", "required_plugins="], plugins=[plugin]))
        if again != 4:
            events.write("retry")
            code = again
    return code


def run_unittest(events, settings):
    import unittest

    class Result(unittest.TextTestResult):
        def tell(self, test, outcome, message="", xfail=False):
            name = test.id()
            if name.startswith("unittest.loader._FailedTest."):
                name = name[len("unittest.loader._FailedTest."):]
                kind = "missing" if "No module named 'pytest'" in message else "collect"
                events.write(kind, id=name, outcome=outcome, message=message)
            else:
                events.write("report", id=name, when="call", outcome=outcome, xfail=xfail, message=message)

        def startTest(self, test):
            super().startTest(test)
            events.write("start", id=test.id())

        def stopTest(self, test):
            super().stopTest(test)
            events.write("end", id=test.id())

        def addSuccess(self, test):
            super().addSuccess(test)
            self.tell(test, "passed")

        def addError(self, test, err):
            super().addError(test, err)
            self.tell(test, "failed", last(err))

        def addFailure(self, test, err):
            super().addFailure(test, err)
            self.tell(test, "failed", last(err))

        def addSkip(self, test, why):
            super().addSkip(test, why)
            self.tell(test, "skipped", why)

        def addExpectedFailure(self, test, err):
            super().addExpectedFailure(test, err)
            self.tell(test, "skipped", last(err), xfail=True)

        def addUnexpectedSuccess(self, test):
            super().addUnexpectedSuccess(test)
            self.tell(test, "failed", "unexpected success")

        def addSubTest(self, test, subtest, err):
            super().addSubTest(test, subtest, err)
            if err is not None:
                self.tell(subtest, "failed", last(err))

    def last(err):
        return (str(err[1]).strip() or err[0].__name__) if "_FailedTest" in str(err) else (
            err[0].__name__ + ": " + str(err[1])).strip()

    def flat(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                yield from flat(test)
            else:
                yield test

    events.write("runner", name="unittest")
    if os.path.isdir("src"):
        sys.path.append(os.path.abspath("src"))
    found = list(flat(unittest.TestLoader().discover(".")))
    for folder in ("tests", "test"):
        if os.path.isdir(folder) and not os.path.exists(os.path.join(folder, "__init__.py")):
            found += flat(unittest.TestLoader().discover(folder, top_level_dir=folder))
    if settings["only"]:
        found = [test for test in found if test.id() in settings["only"]]
    result = unittest.TextTestRunner(resultclass=Result, verbosity=1).run(unittest.TestSuite(found))
    if needs_pytest():
        events.write("missing")
    events.write("finish", exit=0 if result.wasSuccessful() else 1)
    return 5 if result.testsRun == 0 else (0 if result.wasSuccessful() else 1)


def needs_pytest():
    """True when a test file has tests only pytest would find."""
    shape = re.compile(r"^(async )?def test|^\s*(import|from) pytest\b", re.M)
    for folder, folders, names in os.walk("."):
        folders[:] = [f for f in folders if not f.startswith(".") and f not in ("node_modules", "venv", "build")]
        for name in names:
            if re.fullmatch(r"test_.*\.py|.*_test\.py", name):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    if shape.search(file.read()):
                        return True
    return False


def main():
    events = Events(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        settings = json.load(file)
    sys.path[0] = os.getcwd()
    sys.argv = ["pytest"]
    installed = importlib.util.find_spec("pytest") is not None
    sys.exit(run_pytest(events, settings) if installed else run_unittest(events, settings))


if __name__ == "__main__":
    main()
