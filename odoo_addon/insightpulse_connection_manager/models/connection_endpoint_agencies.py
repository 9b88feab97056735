import re
from collections import Counter

from odoo import api, models
from odoo.exceptions import UserError, ValidationError

from ..exceptions import SidecarProblem
from .connection_endpoint import AGENCY_GROUP, DATABASE_KINDS, DEFAULT_PORTS

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# The texts of a template that may have placeholders, and those that it cannot do without.
PATTERN_FIELDS = ("name", "base_url", "database_name", "username")
REQUIRED_FIELDS = ("name", "base_url", "database_name")
PLACE_FIELDS = ("connection_type", "base_url", "port", "database_name")


class ConnectionEndpointAgencies(models.Model):
    """Makes the databases of many agencies from one template.

    What is typed comes as arguments and is stored nowhere: a wizard's record would keep the passwords as they are.
    """

    _inherit = "insightpulse.connection.endpoint"

    @api.model
    def preview_agency_databases(self, values):
        """Say what create_agency_databases() would make of the same values.

        :param dict values:
            - ``template``: values of a connection's fields; ``{agency}`` and its like stand in texts for the agency
            - ``agency_ids``
            - ``passwords``: those typed, by the agency's id as a text
            - ``passwords_text``: an ``.env`` or CSV text with more of them
            - ``variable``: the pattern of a password's name in that text; an agency's bare code will do too
        :return: ``{"lines", "errors", "unmatched"}``: one line per agency, with its ``problem`` if it has one;
            messages by the name of the value that they are about; names in the text that fit no agency
        """
        lines, errors, unmatched = self._plan_agency_databases(values)
        shown = [{name: value for name, value in line.items() if name != "vals"} for line in lines]
        return {"lines": shown, "errors": errors, "unmatched": unmatched}

    @api.model
    def create_agency_databases(self, values):
        """Create the connections of all lines or none; return the action that opens them.

        :param dict values: as for the preview, and ``without_passwords``, to create those without one too
        """
        lines, errors, _unmatched = self._plan_agency_databases(values)
        refused = [*errors.values()]
        for line in lines:
            if line["problem"]:
                refused.append(f"{line['agency']}: {line['problem']}")
            elif not line["has_password"] and not values.get("without_passwords"):
                refused.append(self.env._("%(agency)s has no password.", agency=line["agency"]))
        if refused:
            raise UserError(self.env._("No connection was created.") + "\n\n" + "\n".join(refused))
        endpoints = self.create([line["vals"] for line in lines])
        # An action of its own: under the board's address, the browser would keep the board at these alone.
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("New Databases"),
            "res_model": self._name,
            "views": [[False, "kanban"], [False, "list"], [False, "form"]],
            "domain": [("id", "in", endpoints.ids)],
        }

    # Helpers

    @api.model
    def _plan_agency_databases(self, values):
        """Return the lines, with the ``vals`` of their records, the errors, and the names that fit no agency."""
        self._check_group(AGENCY_GROUP)
        self.check_access("create")
        if not isinstance(values, dict) or not isinstance(values.get("passwords") or {}, dict):
            raise ValidationError(self.env._("Values and passwords are given by their names."))
        agencies = self._chosen_agencies(values.get("agency_ids"))
        template = self._read_template(values.get("template"))
        variable = str(values.get("variable") or "")
        errors = self._template_errors({**template, "variable": variable})
        if not agencies:
            errors["agency_ids"] = self.env._("Choose the agencies.")
        variables = self._read_variables(values.get("passwords_text"), errors)
        if errors:
            return [], errors, []
        typed = values.get("passwords") or {}
        lines, used = [], set()
        for agency in agencies:
            vals = {
                name: self._expand(value, agency) if name in PATTERN_FIELDS else value
                for name, value in template.items()
            }
            vals["agency_id"] = agency.id
            if agency.company_id:
                vals["company_id"] = agency.company_id.id
            wanted = {self._plain_name(self._expand(variable, agency)), self._plain_name(agency.code)} - {""}
            found = [(name, value) for name, value in variables if self._plain_name(name) in wanted]
            used.update(name for name, _value in found)
            lines.append(self._prepare_line(agency, vals, typed.get(str(agency.id)), found))
        self._find_duplicates(lines)
        return lines, {}, [name[:100] for name, _value in variables if name not in used]

    @api.model
    def _chosen_agencies(self, agency_ids):
        if not isinstance(agency_ids, list) or not all(isinstance(agency_id, int) for agency_id in agency_ids):
            raise ValidationError(self.env._("Agencies are given by their ids."))
        agencies = self.env["insightpulse.agency"].browse(dict.fromkeys(agency_ids)).exists()
        agencies.check_access("read")
        return agencies

    @api.model
    def _read_template(self, template):
        """Return the template's values that a connection has a field for; what is empty is left to the defaults."""
        names = ("connection_type", "port", "tls_mode", *PATTERN_FIELDS)
        read = {name: template.get(name) for name in names} if isinstance(template, dict) else dict.fromkeys(names)
        read.update({name: str(read[name] or "").strip() for name in PATTERN_FIELDS})
        return {name: value for name, value in read.items() if value or name in REQUIRED_FIELDS}

    @api.model
    def _template_errors(self, template):
        errors = {}
        for name in (*PATTERN_FIELDS, "variable"):
            pattern = template.get(name, "")
            unknown = [part for part in PLACEHOLDER.findall(pattern) if part not in self._placeholders()]
            if unknown:
                errors[name] = self.env._(
                    "{%(unknown)s} stands for nothing. There are {agency}, {agency_lower}, {AGENCY} and {agency_name}.",
                    unknown=unknown[0],
                )
            elif not pattern and name in REQUIRED_FIELDS:
                errors[name] = self.env._("This has to be filled in.")
        if template.get("connection_type") not in DATABASE_KINDS:
            errors["connection_type"] = self.env._("Choose a kind of database.")
        port = template.get("port", 0)
        if not isinstance(port, int) or not 0 <= port <= 65535:
            errors["port"] = self.env._("A port is a number from 1 to 65535. Leave it empty for the usual one.")
        if template.get("tls_mode", "prefer") not in self._fields["tls_mode"].get_values(self.env):
            errors["tls_mode"] = self.env._("Choose how TLS is used.")
        return errors

    @api.model
    def _read_variables(self, text, errors):
        """Return the pairs of a pasted text; what is wrong with it goes into the errors."""
        if not isinstance(text, str) or not text.strip():
            return []
        try:
            variables = self.env["insightpulse.sidecar"]._parse(text)["variables"]
        except SidecarProblem as problem:
            errors["passwords_text"] = str(problem)
            return []
        if not variables:
            errors["passwords_text"] = self.env._("Here are no lines such as RIM_DB_PASSWORD=… or RIM,…")
        return [(name, value) for name, value in variables if value]

    @api.model
    def _prepare_line(self, agency, vals, typed, found):
        password = typed or (found[0][1] if found else False)
        line = {
            "agency_id": agency.id,
            "agency": agency.code,
            "name": vals["name"],
            "database_name": vals["database_name"],
            "username": vals.get("username", ""),
            "has_password": bool(password),
            "variable": found[0][0][:100] if found and not typed else False,
            "problem": False,
            "vals": {**vals, "password": password} if password else vals,
        }
        if not typed and len({value for _name, value in found}) > 1:
            line["problem"] = self.env._(
                "The pasted text has several passwords for it: %(names)s.",
                names=", ".join(name[:100] for name, _value in found),
            )
            return line
        try:
            self._take_secrets({"password": password})
            self.new(vals)._validate_fields(vals)
        except ValidationError as error:
            line["problem"] = str(error)
        return line

    @api.model
    def _find_duplicates(self, lines):
        """Note in each line what there is already, in the lines or among the connections that the user may see."""
        all_vals = [line["vals"] for line in lines]
        names, places = Counter(vals["name"] for vals in all_vals), Counter(map(self._place, all_vals))
        kept = self.with_context(active_test=False)
        taken_names = set(kept.search([("name", "in", list(names))]).mapped("name"))
        same_databases = [("database_name", "in", [vals["database_name"] for vals in all_vals])]
        taken_places = {
            self._place(values): values["name"]
            for values in kept.search_read(same_databases, ["name", *PLACE_FIELDS], load=None)
        }
        for line in lines:
            name, place = line["name"], self._place(line["vals"])
            if line["problem"]:
                continue
            if name in taken_names:
                line["problem"] = self.env._("There is a connection of this name already.")
            elif place in taken_places:
                line["problem"] = self.env._(
                    "The connection “%(name)s” is to this database already.", name=taken_places[place]
                )
            elif names[name] > 1:
                line["problem"] = self.env._("Another line has this name too. Put {agency} into it.")
            elif places[place] > 1:
                line["problem"] = self.env._("Another line is to this database too. Put {agency_lower} into it.")

    @api.model
    def _place(self, vals):
        """Return what makes two connections be to the same database."""
        kind, server, port, database = (vals.get(name) for name in PLACE_FIELDS)
        return (server or "").casefold(), port or DEFAULT_PORTS.get(kind), database

    @api.model
    def _placeholders(self, agency=None):
        code, name = (agency.code, agency.name) if agency else ("", "")
        lower = dict.fromkeys(("agency_lower", "agency.lower", "agency.lower()"), code.lower())
        return {"agency": code, "AGENCY": code.upper(), "agency_name": name, **lower}

    @api.model
    def _expand(self, pattern, agency):
        known = self._placeholders(agency)
        return PLACEHOLDER.sub(lambda match: known[match[1]], pattern)

    @api.model
    def _plain_name(self, name):
        """Return a variable's name in the one spelling in which names are compared."""
        return re.sub(r"\W", "_", name.strip()).upper()
