"""What the SDK of OpenFeature for Python tells of flags, by its OFREP provider.

    flags.py SETTINGS    a file of JSON: url, token (a file), targetingKey, flags (each with its key, kind, and default)

REQUESTS_CA_BUNDLE names the authority. Prints a list of results in JSON.
"""

import json
import sys
from pathlib import Path

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

settings = json.loads(Path(sys.argv[1]).read_text())


def headers():
    # The kubelet renews the file.
    return {"Authorization": "Bearer " + Path(settings["token"]).read_text().strip()}


api.set_provider(OFREPProvider(settings["url"], headers_factory=headers))
client = api.get_client()
context = EvaluationContext(targeting_key=settings["targetingKey"])
ask = {
    "boolean": client.get_boolean_details,
    "integer": client.get_integer_details,
    "string": client.get_string_details,
    "object": client.get_object_details,
}

results = []
for flag in settings["flags"]:
    told = ask[flag["kind"]](flag["key"], flag["default"], context)
    error = told.error_code and told.error_code.value
    results.append({"value": told.value, "reason": told.reason, "variant": told.variant, "error": error})
print(json.dumps(results))
