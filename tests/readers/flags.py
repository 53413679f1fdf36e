"""Evaluates flagd flags at given moments: reads {"flags": text, "questions": [[flag, type, second], ...]} from standard
input, and prints the [value, variant] of each as a JSON list."""

import json
import sys
import time

from openfeature.contrib.tools.flagd.core import FlagdCore

asked = json.load(sys.stdin)
core = FlagdCore()
core.set_flags(asked["flags"])
resolve = {
    "boolean": lambda flag: core.resolve_boolean_value(flag, None),
    "integer": lambda flag: core.resolve_integer_value(flag, None),
    "number": lambda flag: core.resolve_float_value(flag, None),
    "object": lambda flag: core.resolve_object_value(flag, None),
}
answers = []
for flag, type_, second in asked["questions"]:
    # The evaluator takes `$flagd.timestamp` from here.
    time.time = lambda: second + 0.9
    details = resolve[type_](flag)
    answers.append([details.value, details.variant])
json.dump(answers, sys.stdout)
