"""What pandas says of tables: reads a list of jobs as JSON, prints one answer for each.

Where we differ from pandas on purpose, it is said here and told to pandas:
- nothing but an empty field, spaces or the word null counts as missing: "NA", "nan" and "None" are values somebody wrote;
- a value is looked at without the spaces around it; rows are compared as they are;
- digits with a leading zero are a code, and so are more digits than 64 bits hold: never a number;
- "inf" and "nan" are words;
- a date has a year, a month and a day: 0323 is none;
- distinct values are counted as they are written: 1 and 1.0 are two.
"""

import json
import re
import sys
from decimal import Decimal

import pandas as pd

CODE = re.compile(r"[+-]?0[0-9]")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def table(job, path):
    return pd.read_csv(path, sep=job["separator"], dtype=str, keep_default_na=False, na_values=[])


def column(raw):
    values = raw.str.strip()
    values = values[(values != "") & (values.str.lower() != "null")]
    told = {"nulls": int(len(raw) - len(values)), "distinct": int(values.nunique())}
    told.update(kind="text", min=None, max=None, mean=None, common=[])
    if values.empty:
        told["kind"] = "empty"
        return told
    told["min"], told["max"] = values.min(), values.max()
    counts = values.value_counts()
    if len(counts) <= 2000:
        often = sorted((-count, value) for value, count in counts.items() if count > 1)
        told["common"] = [[value, -count] for count, value in often[:3]]
    words = values.str.contains("[in]", case=False).any() or values.map(lambda v: bool(CODE.match(v))).any()
    numbers = None
    if not words:
        try:
            numbers = pd.to_numeric(values)
        except (ValueError, TypeError):
            pass
    if numbers is not None:
        digits = values.str.fullmatch(r"[+-]?[0-9]+").all()
        fits = [-(2**63) <= int(v) < 2**63 for v in values] if digits else []
        if digits and not all(fits):
            return told
        told["kind"] = "integer" if digits else "real"
        told["min"], told["max"] = numbers.min().item(), numbers.max().item()
        told["mean"] = float(numbers.astype("float64").mean())
        told["spread"] = float(numbers.astype("float64").abs().max())
    elif values.str.lower().isin(["true", "false", "yes", "no"]).all():
        told["kind"] = "boolean"
    elif values.str.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").all():
        try:
            pd.to_datetime(values, format="ISO8601", utc=True)
            told["kind"] = "date"
        except (ValueError, OverflowError):
            pass
    return told


def profile(job):
    raw = table(job, job["path"])
    columns = {name: column(raw[name]) for name in raw.columns}
    keys = [n for n, c in columns.items() if len(raw) > 1 and c["nulls"] == 0 and c["distinct"] == len(raw)]
    return {"rows": len(raw), "duplicates": int(raw.duplicated().sum()), "columns": columns, "keys": keys}


def cell(value):
    if not isinstance(value, str) or value == "":
        return None
    return Decimal(value) if NUMBER.fullmatch(value) else value


def compare(job):
    left, right = table(job, job["path"]), table(job, job["other"])
    both = left.merge(right, on="id", how="outer", indicator=True)
    sides = both["_merge"].value_counts()
    common = both[both["_merge"] == "both"]
    shared = [name for name in left.columns if name in right.columns and name != "id"]
    changed, rows = {}, pd.Series(False, index=common.index)
    for name in shared:
        cells = zip(common[name + "_x"].tolist(), common[name + "_y"].tolist())
        differs = pd.Series([cell(a) != cell(b) for a, b in cells], index=common.index, dtype=bool)
        rows |= differs
        if differs.any():
            changed[name] = int(differs.sum())
    return {
        "left_only": int(sides["left_only"]),
        "right_only": int(sides["right_only"]),
        "changed": int(rows.sum()),
        "same": int((~rows).sum()),
        "columns": changed,
    }


answers = [compare(job) if "other" in job else profile(job) for job in json.load(open(sys.argv[1]))]
json.dump(answers, sys.stdout)
