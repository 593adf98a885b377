"""Judge the results of a run again from its files alone: python judge_again.py RULES RESULTS.jsonl

It uses none of the program's code. For each line of the results it prints the verdict and the reasons as JSON, as
docs/rules.md defines them; images that are scaled too far are not its business.
"""

import json
import sys

SUFFIXES = ("_px", "_mm2", "_mm")


def named(label, rows):
    return rows[label] if label in rows else rows.get("*")


def worst(measure, found):
    """Value and standard uncertainty."""
    if measure == "count":
        return len(found), None
    if measure == "score":
        return max(d["score"] for d in found), None
    key = measure.removeprefix("total_")
    pairs = [(d[key], d.get(f"{key}_u")) for d in found if d[key] is not None]
    if measure.startswith("total_"):
        doubts = [u for _, u in pairs]
        return sum(value for value, _ in pairs), None if None in doubts else sum(doubts)
    if measure.startswith("nearest_"):
        return min(pairs, default=(None, None))
    return max(pairs, default=(0, None), key=lambda pair: pair[0])


def compare(row, found, label, region, reasons):
    for measure, limit in row.items():
        value, u = worst(measure, found)
        if value is None:
            continue
        minimum = measure.startswith("nearest_")
        quantity = next((measure.removesuffix(end) for end in SUFFIXES if measure.endswith(end)), measure)
        met = True
        for step in ("ng", "warn"):
            if step not in limit:
                continue
            beyond = value < limit[step] if minimum else value > limit[step]
            near = u is not None and abs(value - limit[step]) <= 2 * u
            if beyond and met:
                code, met = f"{quantity}_{'below' if minimum else 'above'}", False
                reasons[step].append((code, label, region, value, limit[step], near))
            elif near and not beyond:
                reasons["near"].append((f"{quantity}_near", label, region, value, limit[step], True))


def judge(line, rules):
    scores, regions, classes = rules.get("confidence", {}), rules.get("regions", {}), rules.get("classes", {})
    none = {"ng": {"count": {"ng": 0}}, "warn": {"count": {"warn": 0}}, "ok": {}}[rules.get("unnamed", "ng")]
    counted = [d for d in line["detections"] if d["score"] >= (named(d["label"], scores) or 0)]
    groups = {}
    for d in counted:
        label, region = d["label"], d["region"]
        inside = named(label, regions.get(region, {}).get("classes", {}))
        row = named(label, classes)
        if inside is not None:
            groups.setdefault((label, region), (inside, []))[1].append(d)
        if region in regions and "all" in regions[region]:
            groups.setdefault(("*", region), (regions[region]["all"], []))[1].append(d)
        if row is not None or inside is None:
            groups.setdefault((label, None), (none if row is None else row, []))[1].append(d)
    if counted and "all" in rules:
        groups["*", None] = rules["all"], counted
    reasons = {"ng": [], "warn": [], "near": []}
    for (label, region), (row, found) in groups.items():
        compare(row, found, label, region, reasons)
    if reasons["ng"]:
        return "NG", reasons["ng"]
    return ("WARN" if reasons["warn"] else "OK"), reasons["warn"] + reasons["near"]


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        rules = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        for text in file:
            verdict, reasons = judge(json.loads(text), rules)
            print(json.dumps({"verdict": verdict, "reasons": sorted(reasons, key=str)}, ensure_ascii=False))
