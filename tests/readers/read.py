"""Reads each file of a folder with a reader and prints what it got, as a JSON list in the order of the names."""

import json
import pathlib
import sys


def read_dotenv(path):
    import dotenv

    return dotenv.dotenv_values(path)


def read_json(path):
    return json.loads(path.read_bytes())


def read_pyyaml(path):
    import yaml

    return yaml.safe_load(path.read_bytes())


def read_ruamel(path):
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(path)


def read_tomllib(path):
    import tomllib

    return tomllib.loads(path.read_bytes().decode())


def read_icalendar(path):
    """The properties of each component as the library understands them, under what it is named."""
    import icalendar

    def told(value):
        if isinstance(value, icalendar.prop.vDDDTypes):
            return value.dt.isoformat()
        if isinstance(value, icalendar.prop.vCategory):
            return [str(category) for category in value.cats]
        return str(value)

    calendar = icalendar.Calendar.from_ical(path.read_bytes())
    components = [component for component in calendar.walk() if component.errors == []]
    return [
        {"name": component.name, **{name: told(value) for name, value in component.property_items(recursive=False) if name not in ("BEGIN", "END")}}
        for component in components
    ]


READERS = {
    "python-dotenv": read_dotenv,
    "json": read_json,
    "pyyaml": read_pyyaml,
    "ruamel": read_ruamel,
    "tomllib": read_tomllib,
    "icalendar": read_icalendar,
}

reader, folder = sys.argv[1:]
results = [READERS[reader](path) for path in sorted(pathlib.Path(folder).iterdir())]
# What JSON has no type for, such as a date, is shown as Python shows it.
print(json.dumps(results, default=repr))
