"""Usage as the SDK of CloudEvents for Python writes it: one event, then a batch.

    events.py SETTINGS    a file of JSON: url, token (a file), organization, definition

REQUESTS_CA_BUNDLE names the authority. Prints the answers in JSON.
"""

import json
import sys
from pathlib import Path

import requests
from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent

settings = json.loads(Path(sys.argv[1]).read_text())
url = settings["url"] + "/v1/events"
token = Path(settings["token"]).read_text().strip()


def event(number, amount):
    attributes = {
        "type": "dev.entitlements.usage.v1",
        "source": "/python",
        "id": f"event-{number}",
        "subject": settings["organization"],
        "datacontenttype": "application/json",
    }
    return to_structured_event(CloudEvent(attributes, {"definition": settings["definition"], "amount": amount}))


def send(headers, body):
    answer = requests.post(url, data=body, headers={**headers, "Authorization": f"Bearer {token}"}, timeout=10)
    return {"status": answer.status_code, "body": answer.json()}


one = event(1, 1)
# The SDK has no batches: a list of events in their structured form is one.
batch = b"[" + b",".join([event(1, 1).body, event(2, 0.5).body]) + b"]"
print(json.dumps([send(one.headers, one.body), send({"Content-Type": "application/cloudevents-batch+json"}, batch)]))
