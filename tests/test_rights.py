"""Who may do what, over RPC: every public method of the addon as every kind of user, and nothing untold."""

import json
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ring import MODEL, Board, Databases, json2, refused, running
from stack import network
from stack.odoo import Odoo, OdooError
from stack.settings import ADDON
from stack.sidecar import Sidecar

AGENCY, AUDIT = "insightpulse.agency", "insightpulse.audit.entry"
PAIRING, REBIND = "insightpulse.sidecar.pairing", "insightpulse.connection.rebind"
SIDECAR = "insightpulse.sidecar"
WINDOW = "insightpulse.maintenance.window"
SETTINGS, IMPORT = "res.config.settings", "base_import.import"

# `stranger` has no login; `foreign` is a manager of another company, `other` works for another agency;
# `system` keeps Odoo's settings and has nothing to do with connections. The record is of this company, and of an
# agency that only `agency` works for.
ACTORS = ("stranger", "portal", "nobody", "other", "agency", "foreign", "manager", "admin", "sidecar", "system")

# "+" may; "-" may not, and is told so; "0" gets nothing of it; "!" is refused for a reason that is no right, such as
# that nobody may. A method of the addon that is not here fails a test.
MATRIX = f"""
                                              stranger portal nobody other agency foreign manager admin sidecar system
{MODEL} read                                     -       -      -      -     +       -       +      +      -      -
{MODEL} search_read                              -       -      -      0     +       0       +      +      -      -
{MODEL} name_search                              -       -      -      0     +       0       +      +      -      -
{MODEL} web_search_read                          -       -      -      0     +       0       +      +      -      -
{MODEL} web_read                                 -       -      -      -     +       -       +      +      -      -
{MODEL} export_data                              -       !      -      -     +       -       +      +      !      -
{MODEL} create                                   -       -      -      -     +       !       +      +      -      -
{MODEL} default_get                              -       +      +      +     +       +       +      +      +      +
{MODEL} write                                    -       -      -      -     +       -       +      +      -      -
{MODEL} write_secret                             -       -      -      -     +       -       +      +      -      -
{MODEL} web_save                                 -       -      -      -     +       -       +      +      -      -
{MODEL} load                                     -       0      0      0     +       0       +      +      0      0
{MODEL} copy                                     -       -      -      -     +       -       +      +      -      -
{MODEL} unlink                                   -       -      -      -     -       -       -      +      -      -
{MODEL} action_test_connection                   -       -      -      -     +       -       +      +      -      -
{MODEL} render_config                            -       -      -      -     +       -       +      +      -      -
{MODEL} render_config_reveal                     -       -      -      -     -       -       -      +      -      -
{MODEL} generate_env_file                        -       -      -      0     +       0       +      +      -      -
{MODEL} parse_connection_string                  -       -      -      +     +       +       +      +      -      -
{MODEL} parse_connection_strings                 -       -      -      +     +       +       +      +      -      -
{MODEL} preview_agency_databases                 -       -      -      -     +       -       +      +      -      -
{MODEL} create_agency_databases                  -       -      -      -     +       -       +      +      -      -
{MODEL} get_connection_health_dashboard          -       -      -      +     +       +       +      +      -      -
{MODEL} action_connect                           -       -      -      -     +       -       +      +      -      -
{MODEL} get_connect_texts                        -       -      -      -     +       -       +      +      -      -
{MODEL} get_connect_texts_reveal                 -       -      -      -     -       -       -      +      -      -
{MODEL} get_connect_archive                      -       -      -      -     +       -       +      +      -      -
{MODEL} get_connect_archive_reveal               -       -      -      -     -       -       -      +      -      -
{MODEL} rebind                                   -       -      -      -     -       -       -      +      -      -
{MODEL} action_rebind                            -       -      -      -     -       -       -      +      -      -
{MODEL} apply_probe_results                      -       -      -      -     -       -       -      -      +      -
{MODEL} sealed_secrets                           -       -      -      -     -       -       -      -      +      -
{MODEL} apply_resealed                           -       -      -      -     -       -       -      -      +      -
{MODEL} count_sealed_secrets                     -       -      -      -     -       -       -      -      +      -
{MODEL} get_health_history                       -       -      -      -     +       -       +      +      -      -
{MODEL} action_pause                             -       -      -      -     +       -       +      +      -      -
{MODEL} action_resume                            -       -      -      -     +       -       +      +      -      -
{MODEL} action_send_test_alert                   -       -      -      -     +       -       +      +      -      -
{MODEL} monitored_versions                       -       -      -      -     -       -       -      -      +      -
{MODEL} monitored_endpoints                      -       -      -      -     -       -       -      -      +      -
{WINDOW} read                                    -       -      -      -     +       -       +      +      -      -
{WINDOW} create                                  -       -      -      -     -       -       +      +      -      -
{WINDOW} write                                   -       -      -      -     -       -       +      +      -      -
{WINDOW} unlink                                  -       -      -      -     -       -       +      +      -      -
{SETTINGS} create                                -       -      -      -     -       -       -      -      -      +
{SETTINGS} write                                 -       -      -      -     -       -       -      -      -      +
{AGENCY} read                                    -       -      -      -     +       -       +      +      -      -
{AGENCY} create                                  -       -      -      -     -       -       -      +      -      -
{AGENCY} write                                   -       -      -      -     -       -       -      +      -      -
{AGENCY} unlink                                  -       -      -      -     -       -       -      +      -      -
{AUDIT} search_read                              -       -      -      -     -       -       -      +      -      -
{AUDIT} export_data                              -       !      -      -     -       -       -      +      !      -
{AUDIT} create                                   -       -      -      -     -       -       -      -      -      -
{AUDIT} write                                    -       -      -      -     -       -       -      -      -      -
{AUDIT} unlink                                   -       -      -      -     -       -       -      -      -      -
{AUDIT} copy                                     -       -      -      -     -       -       -      -      -      -
{PAIRING} create                                 -       -      -      -     -       -       -      -      -      +
{PAIRING} action_pair                            -       -      -      -     -       -       -      -      -      !
{REBIND} create                                  -       -      -      -     -       -       -      +      -      -
{REBIND} default_get                             -       -      -      -     +       -       +      +      -      -
{REBIND} action_move                             -       -      -      -     -       -       -      +      -      -
{SETTINGS} action_insightpulse_check             -       -      -      -     -       -       -      -      -      +
{SETTINGS} action_insightpulse_carry_over        -       -      -      -     -       -       -      -      -      -
{SETTINGS} set_values                            -       -      -      -     -       -       -      -      -      +
{SIDECAR} retire_older_api_keys                  -       -      -      -     -       -       -      -      +      -
{SIDECAR} renew_api_key                          -       -      -      -     -       -       -      -      +      -
{SETTINGS} action_insightpulse_unpair            -       -      -      -     -       -       -      -      -      +
"""

# Overridden where Odoo has them, without a right of their own to give; what they keep out is tested in the addon.
OVERRIDDEN = {("res.users", "write"), (IMPORT, "get_fields_tree"), (IMPORT, "parse_preview")}

REFUSED = {"odoo.exceptions.AccessError", "odoo.http.SessionExpiredException"}
REASONED = {"odoo.exceptions.UserError", "odoo.exceptions.ValidationError"}

_USERS = f"""
import json, secrets
from datetime import datetime, timedelta
group = lambda name: env.ref(name if "." in name else "{ADDON}." + name).id
company = env["res.company"].create({{"name": "Elsewhere"}})
own, other = env["insightpulse.agency"].create([{{"code": "OWN", "name": "Own"}}, {{"code": "OTH", "name": "Other"}}])
export = "base.group_allow_export"
kinds = {{
    "portal": ["base.group_portal"],
    "nobody": ["base.group_user", export],
    "other": ["group_connection_agency", export],
    "agency": ["group_connection_agency", export],
    "foreign": ["group_connection_manager", export],
    "system": ["base.group_system"],
    "boss": ["group_connection_admin", export],
}}
passwords = {{name: secrets.token_hex(16) for name in kinds}}
for name, groups in kinds.items():
    place = company if name == "foreign" else env.company
    env["res.users"].create({{
        "name": name, "login": name, "password": passwords[name], "group_ids": [(6, 0, [group(one) for one in groups])],
        "company_id": place.id, "company_ids": [(6, 0, place.ids)],
    }})
users = env["res.users"]
users.search([("login", "=", "manager")]).group_ids += env.ref(export)
own.company_id = env.company
own.member_ids = users.search([("login", "=", "agency")])
other.member_ids = users.search([("login", "=", "other")])
def key(login):
    user = users.search([("login", "=", login)])
    keys = env["res.users.apikeys"].with_user(user).sudo()
    return keys._generate("rpc", "tests", datetime.now() + timedelta(hours=3))
passwords.update(manager="manager", admin=passwords.pop("boss"), sidecar=key("insightpulse_sidecar"))
keys = {{"manager": key("manager"), "admin": key("boss")}}
env.cr.commit()
print(json.dumps({{"passwords": passwords, "keys": keys, "agency": own.id}}))
"""

_METHODS = f"""
import json
from odoo.exceptions import AccessError
from odoo.service.model import get_public_method
found = set()
for name in env:
    for part in type(env[name]).__mro__:
        if part.__module__.startswith("odoo.addons.{ADDON}."):
            for attribute, value in vars(part).items():
                if callable(value) and not isinstance(value, type):
                    try:
                        get_public_method(env[name], attribute)
                    except AccessError:
                        continue
                    found.add((name, attribute))
print(json.dumps(sorted(found)))
"""

_CONTROLLERS = f"""
import json
from odoo.http import Controller
def below(part):
    for child in part.__subclasses__():
        yield child
        yield from below(child)
print(json.dumps([part.__name__ for part in below(Controller) if ".{ADDON}." in part.__module__]))
"""


class Offices:
    """An Odoo with a user of each kind, and a fresh record for each attempt."""

    def __init__(self, odoo: Odoo, sidecar: Sidecar) -> None:
        self.odoo, self.sidecar = odoo, sidecar
        self.root = Board(odoo, "admin")
        made = json.loads(odoo.shell(_USERS).splitlines()[-1])
        self.passwords: dict[str, str] = made["passwords"]
        self.keys: dict[str, str] = made["keys"]
        self.agency: int = made["agency"]

    def login(self, actor: str) -> str:
        return {"sidecar": "insightpulse_sidecar", "admin": "boss"}.get(actor, actor)

    def call(self, actor: str, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        if actor == "stranger":
            return self._without_login(model, method, args, kwargs)
        return self.odoo.call(model, method, args, kwargs, login=self.login(actor), password=self.passwords[actor])

    def xml(self, actor: str, model: str, method: str, *args: Any) -> Any:
        common = xmlrpc.client.ServerProxy(f"{self.odoo.url}/xmlrpc/2/common")
        models = xmlrpc.client.ServerProxy(f"{self.odoo.url}/xmlrpc/2/object", allow_none=True)
        credentials = (self.odoo.database, self.login(actor), self.passwords[actor])
        uid = common.authenticate(*credentials, {})
        return models.execute_kw(self.odoo.database, uid, self.passwords[actor], model, method, list(args))

    def _without_login(self, model: str, method: str, args: Any, kwargs: Any) -> Any:
        params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode()
        headers = {"Content-Type": "application/json", "X-Odoo-Database": self.odoo.database}
        url = f"{self.odoo.url}/web/dataset/call_kw/{model}/{method}"
        with network.opener().open(urllib.request.Request(url, body, headers), timeout=60) as response:
            answer = json.load(response)
        if "error" in answer:
            data = answer["error"]["data"]
            raise OdooError(data["name"], data["message"])
        return answer["result"]

    # What is there to be had

    def endpoint(self, **values: Any) -> int:
        usual = {"base_url": "127.0.0.1", "port": 1, "username": "reader", "password": "x", "agency_id": self.agency}
        return self.root.create(**{**usual, "name": "Theirs", **values})

    def entry(self) -> int:
        return self.odoo.call(AUDIT, "search", [[]], {"limit": 1})[0]

    def new_agency(self) -> int:
        (code,) = self.odoo.call(AGENCY, "create", [[{"code": f"N{self.endpoint()}", "name": "New"}]])
        return code

    def window(self) -> int:
        values = {"name": "Theirs", "agency_ids": [[6, 0, [self.agency]]]}
        return self.odoo.call(WINDOW, "create", [[values]])[0]

    def made_by(self, actor: str, model: str, values: dict[str, Any]) -> int:
        return self.call(actor, model, "create", [values])[0]

    def pairing(self) -> dict[str, Any]:
        return {"sidecar_url": self.sidecar.url, "odoo_url": self.odoo.url, "code": "AAAAA-AAAAA"}

    def databases(self) -> dict[str, Any]:
        template = {"name": f"{{agency}} {self.endpoint()}", "connection_type": "postgresql", "base_url": "db.example"}
        template["database_name"] = template["name"]
        return {"template": template, "agency_ids": [self.agency], "passwords": {str(self.agency): "x"}}

    def move(self) -> dict[str, Any]:
        place = {"connection_type": "postgresql", "base_url": "new.example", "port": 1, "tls_mode": "prefer"}
        return {"endpoint_id": self.endpoint(), **place}


def attempt(offices: Offices, model: str, row: str) -> tuple[str, list[Any], dict[str, Any]]:
    """The method, its arguments and its keywords, for a record that nobody has tried before."""
    named = {"name": "New", "connection_type": "api", "agency_id": offices.agency}
    on_one: dict[tuple[str, str], Callable[[], list[Any]]] = {
        (MODEL, "read"): lambda: [["name", "password"]],
        (MODEL, "web_read"): lambda: [{"name": {}}],
        (MODEL, "export_data"): lambda: [["name", "base_url"]],
        (MODEL, "write"): lambda: [{"name": "Mine"}],
        (MODEL, "write_secret"): lambda: [{"password": "y"}],
        (MODEL, "web_save"): lambda: [{"name": "Mine"}, {"name": {}}],
        (MODEL, "render_config"): lambda: ["env"],
        (MODEL, "render_config_reveal"): lambda: ["env", True],
        (MODEL, "get_connect_texts"): list,
        (MODEL, "get_connect_texts_reveal"): lambda: [True],
        (MODEL, "get_connect_archive"): list,
        (MODEL, "get_connect_archive_reveal"): lambda: [False, True],
        (MODEL, "rebind"): lambda: [{"base_url": "new.example"}],
        **{(MODEL, name): list for name in ("copy", "unlink", "action_test_connection", "action_connect")},
        (MODEL, "action_rebind"): list,
        (MODEL, "get_health_history"): lambda: ["24h"],
        **{(MODEL, f"action_{name}"): list for name in ("pause", "resume", "send_test_alert")},
    }
    on_model: dict[tuple[str, str], Callable[[], list[Any]]] = {
        **{(MODEL, name): lambda: [[["name", "=", "Theirs"]]] for name in ("search_read", "web_search_read")},
        (MODEL, "name_search"): lambda: ["Theirs"],
        (MODEL, "create"): lambda: [[named]],
        (MODEL, "default_get"): lambda: [["name", "agency_id", "password"]],
        (MODEL, "load"): lambda: [["name", "connection_type", "agency_id/.id"], [["New", "api", str(offices.agency)]]],
        **{
            (MODEL, f"parse_connection_{name}"): lambda: ["postgresql://reader:x@db.example/books"]
            for name in ("string", "strings")
        },
        **{(MODEL, f"{verb}_agency_databases"): lambda: [offices.databases()] for verb in ("preview", "create")},
        (MODEL, "apply_probe_results"): lambda: [[]],
        (MODEL, "monitored_versions"): lambda: [0, 10],
        (MODEL, "monitored_endpoints"): lambda: [[offices.endpoint()]],
        (WINDOW, "create"): lambda: [[{"name": "Night", "agency_ids": [[6, 0, [offices.agency]]]}]],
        (SETTINGS, "create"): lambda: [[{"insightpulse_webhook_url": ""}]],
        (MODEL, "sealed_secrets"): lambda: [0, 10, False],
        (MODEL, "apply_resealed"): lambda: [[]],
        (AGENCY, "create"): lambda: [[{"code": f"C{offices.endpoint()}", "name": "New"}]],
        (AUDIT, "search_read"): lambda: [[], ["action"]],
        (AUDIT, "create"): lambda: [[{"action": "pair", "date": "2026-01-01 00:00:00"}]],
        (PAIRING, "create"): lambda: [[offices.pairing()]],
        (REBIND, "create"): lambda: [[offices.move()]],
    }
    on_other: dict[tuple[str, str], Callable[[], list[Any]]] = {
        (AGENCY, "read"): lambda: [[offices.agency], ["code"]],
        (AGENCY, "write"): lambda: [[offices.new_agency()], {"name": "Mine"}],
        (AGENCY, "unlink"): lambda: [[offices.new_agency()]],
        (WINDOW, "read"): lambda: [[offices.window()], ["name"]],
        (WINDOW, "write"): lambda: [[offices.window()], {"name": "Mine"}],
        (WINDOW, "unlink"): lambda: [[offices.window()]],
        (AUDIT, "export_data"): lambda: [[offices.entry()], ["action"]],
        (AUDIT, "write"): lambda: [[offices.entry()], {"detail": "forged"}],
        (AUDIT, "unlink"): lambda: [[offices.entry()]],
        (AUDIT, "copy"): lambda: [[offices.entry()]],
        (PAIRING, "action_pair"): lambda: [[offices.made_by("system", PAIRING, offices.pairing())]],
        (REBIND, "action_move"): lambda: [[offices.made_by("admin", REBIND, offices.move())]],
        **{
            (SETTINGS, f"action_insightpulse_{name}"): lambda: [[offices.made_by("system", SETTINGS, {})]]
            for name in ("check", "unpair", "carry_over")
        },
        (SETTINGS, "write"): lambda: [[offices.made_by("system", SETTINGS, {})], {"insightpulse_webhook_url": ""}],
        (SETTINGS, "set_values"): lambda: [[]],
    }
    method = {"write_secret": "write"}.get(row, row.removesuffix("_reveal"))
    keywords: dict[str, Any] = {}
    if row == "web_search_read":
        keywords["specification"] = {"name": {}}
    if (model, row) == (REBIND, "default_get"):
        return method, [["endpoint_id", "base_url"]], {"context": {"default_endpoint_id": offices.endpoint()}}
    if (model, row) in on_one:
        return method, [[offices.endpoint()], *on_one[model, row]()], keywords
    return method, {**on_model, **on_other}.get((model, row), list)(), keywords


def outcome(offices: Offices, actor: str, model: str, row: str) -> str:
    method, args, keywords = attempt(offices, model, row)
    try:
        answer = offices.call(actor, model, method, *args, **keywords)
    except OdooError as error:
        if error.name in REFUSED:
            return "-"
        assert error.name in REASONED, f"{actor}: {error}"
        return "!"
    if isinstance(answer, dict) and (answer.get("ids") is False or answer.get("length") == 0):
        return "0"
    return "0" if answer in ([], {}, "") else "+"


def rows() -> list[list[str]]:
    """Model, row and cells of each line."""
    return [line.split(maxsplit=2) for line in MATRIX.strip().splitlines()[1:]]


@pytest.fixture(scope="module")
def offices(databases: Databases, executable: Path) -> Iterator[Offices]:
    with running(databases, "rights", executable=executable) as (odoo, sidecar):
        yield Offices(odoo, sidecar)


def test_every_public_method_is_in_the_matrix(offices: Offices) -> None:
    methods = {tuple(pair) for pair in json.loads(offices.odoo.shell(_METHODS).splitlines()[-1])}
    known = {(model, row) for model, row, _cells in rows()} | OVERRIDDEN
    assert methods - known == set()
    assert len(methods) > 20
    # None so far: all goes through Odoo's own routes and their session.
    assert json.loads(offices.odoo.shell(_CONTROLLERS).splitlines()[-1]) == []


@pytest.mark.parametrize("protocol", ["JSON-RPC", "XML-RPC", "JSON-2"])
def test_no_protocol_knows_a_way_around(offices: Offices, protocol: str) -> None:
    endpoint = offices.endpoint()
    reveals = {"actor": "manager", "method": "render_config", "kwargs": {"format": "env", "reveal": True}}
    private = ("_get_secret", "_prepare_endpoints", "_write_protected", "_seal_secrets", "_carry_over_secrets")

    def call(actor: str, method: str, **kwargs: Any) -> Any:
        if protocol == "JSON-2":
            return json2(offices.odoo, offices.keys[actor], MODEL, method, ids=[endpoint], **kwargs)
        if protocol == "XML-RPC":
            return offices.xml(actor, MODEL, method, [endpoint], *kwargs.values())
        return offices.call(actor, MODEL, method, [endpoint], *kwargs.values())

    with pytest.raises((OdooError, xmlrpc.client.Fault)) as denied:
        call("manager", "render_config", **reveals["kwargs"])
    assert "Connection Administrator" in str(denied.value)
    for method in private:
        with pytest.raises((OdooError, xmlrpc.client.Fault)) as unknown:
            call("admin", method)
        assert "rivate method" in str(unknown.value) or "does not exist" in str(unknown.value), unknown.value
    assert "x" in call("admin", "render_config", **reveals["kwargs"])["content"]


def test_a_refusal_stays_in_the_log_and_does_not_fill_it(offices: Offices) -> None:
    endpoint = offices.endpoint(name="Locked")
    for _attempt in range(10):
        call = {"ids": [endpoint], "format": "env", "reveal": True}
        refused(lambda call=call: json2(offices.odoo, offices.keys["manager"], MODEL, "render_config", **call))
    domain = [["action", "=", "denied"], ["record_uuid", "!=", False], ["record_name", "=", "Locked"]]
    (entry,) = offices.call("admin", AUDIT, "search_read", domain, ["login", "detail", "address", "res_id"])
    assert (entry["login"], entry["detail"], entry["res_id"]) == ("manager", "Connection Administrator", endpoint)
    assert entry["address"] == "127.0.0.1"


# Last, since its last rows end the pairing.
@pytest.mark.parametrize(("model", "row", "cells"), rows(), ids=lambda value: str(value).replace(" ", ""))
def test_the_matrix(offices: Offices, model: str, row: str, cells: str) -> None:
    found = [outcome(offices, actor, model, row) for actor in ACTORS]
    # As texts, which pytest shows one above the other.
    assert "      ".join(found) == "      ".join(cells.split()), " ".join(ACTORS)
