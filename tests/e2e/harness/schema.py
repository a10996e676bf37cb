"""Holds values against the schemas of openrpc.json: as much of JSON Schema as that file uses."""
import json
import re
from typing import Any

from harness.settings import OPENRPC

DOCUMENT = json.loads(OPENRPC.read_text(encoding="utf-8"))
METHODS = {method["name"]: method for method in DOCUMENT["methods"]}
NOTIFICATIONS = {each["name"]: each for each in DOCUMENT["x-notifications"]}
ERRORS = {name: error["code"] for name, error in DOCUMENT["components"]["errors"].items()} | {
    "parse-error": -32700,  # JSON-RPC 2.0 section 5.1
    "invalid-request": -32600,
    "method-not-found": -32601,
    "invalid-params": -32602,
    "internal-error": -32603,
}

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def _resolve(schema: dict) -> dict:
    while "$ref" in schema:
        node: Any = DOCUMENT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def _is_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def _faults_of_object(value: dict, schema: dict, where: str) -> list[str]:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    faults = [f"{where}: no '{name}'" for name in schema.get("required", []) if name not in value]
    for name, member in value.items():
        if name in properties:
            faults += faults_of(member, properties[name], f"{where}.{name}")
        elif isinstance(others, dict):
            faults += faults_of(member, others, f"{where}.{name}")
        elif properties:
            faults.append(f"{where}: '{name}' is not described")
    return faults


def faults_of(value: Any, schema: dict, where: str) -> list[str]:
    """What is wrong with value, a sentence each; where: what to call it."""
    schema = _resolve(schema)
    if "oneOf" in schema:
        tries = [faults_of(value, choice, where) for choice in schema["oneOf"]]
        return [] if [] in tries else [f"{where}: {value!r} is none of the choices: {tries}"]

    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is_type(value, name) for name in types):
        return [f"{where}: {value!r} is no {' or '.join(types)}"]

    faults = []
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        faults.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if "minimum" in schema and value is not None and value < schema["minimum"]:
        faults.append(f"{where}: {value} is less than {schema['minimum']}")
    if "maximum" in schema and value is not None and value > schema["maximum"]:
        faults.append(f"{where}: {value} is more than {schema['maximum']}")
    if isinstance(value, dict):
        faults += _faults_of_object(value, schema, where)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            faults += faults_of(item, schema["items"], f"{where}[{index}]")
    return faults


def check_result(method: str, result: Any) -> None:
    if method in METHODS:
        faults = faults_of(result, METHODS[method]["result"]["schema"], f"{method}: result")
        assert not faults, faults


def check_notification(message: dict) -> None:
    """Envelope and params of a notification."""
    name, params = message["method"], message["params"]
    assert message["jsonrpc"] == "2.0" and "id" not in message, message
    assert name in NOTIFICATIONS, f"'{name}' is not described: {message}"
    described = {each["name"]: each for each in NOTIFICATIONS[name]["params"]}
    optional = {"lost"} if name != "vm.state" else {"lost", "exit"}
    missing = described.keys() - params.keys() - optional
    faults = [f"{name}: no '{key}'" for key in missing]
    for key, value in params.items():
        if key not in described:
            faults.append(f"{name}: '{key}' is not described")
        else:
            faults += faults_of(value, described[key]["schema"], f"{name}.{key}")
    assert not faults, faults


def check_error(error: dict) -> None:
    """An error object: its code and its data.name are of one row of the table."""
    name = error["data"]["name"]
    assert ERRORS.get(name) == error["code"], error
    assert error["message"], error
