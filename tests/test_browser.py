"""What an administrator sees and clicks: from an empty Odoo to a board that moves by itself, in a real browser."""

import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import BlackHole
from playwright.sync_api import BrowserContext, Locator, Playwright, expect, sync_playwright
from ring import Board, Databases, add_manager, configure, healthy, state_dir, wait_until
from stack.odoo import Odoo
from stack.postgres import Cluster
from stack.sidecar import Sidecar
from switchboard import Switchboard

# As root, and on a machine whose network is closed.
_CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}

# The machine does other things too.
expect.set_options(timeout=20_000)


class Desk:
    """A browser in front of one Odoo, with an administrator logged in."""

    def __init__(self, context: BrowserContext, odoo: Odoo) -> None:
        self.odoo = odoo
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def log_in(self) -> None:
        self.page.goto(f"{self.odoo.url}/odoo")
        self.page.get_by_label("Email").fill("admin")
        self.page.get_by_label("Password", exact=True).fill("admin")
        self.page.get_by_role("button", name="Log in").click()
        # The first page of a new database has all of Odoo's styles and scripts built.
        self.page.locator(".o_main_navbar").wait_for(timeout=90_000)

    def open_menu(self, *path: str) -> None:
        """Clicks through the menus, from the one of all apps on."""
        app, *entries = path
        self.page.locator(".o_navbar_apps_menu button").click()
        self.page.locator(".o-dropdown--menu .o_app", has_text=app).click()
        self.page.locator(".o_menu_brand", has_text=app).wait_for()
        for entry in entries:
            self.page.locator(".o_menu_sections, .o-dropdown--menu").get_by_text(entry, exact=True).click()

    def open_board(self) -> None:
        self.page.goto(f"{self.odoo.url}/odoo/connections")
        self.page.locator(".o_insightpulse_card").first.wait_for()
        self.stay()

    def stay(self) -> None:
        # A page that is loaded again loses it.
        self.page.evaluate("window.notReloaded = true")

    def has_reloaded(self) -> bool:
        return not self.page.evaluate("window.notReloaded === true")

    def card(self, name: str) -> Locator:
        return self.page.locator(".o_kanban_record", has=self.page.get_by_text(name, exact=True))

    def press_test(self, name: str) -> None:
        self.card(name).get_by_role("button", name="Test").click()

    def open_card(self, name: str) -> None:
        # A record that was open before is drawn from the browser's cache, and once more when the server has answered.
        with self.page.expect_response(re.compile("/web_read$")):
            self.card(name).get_by_text(name, exact=True).click()
        self.page.locator(".o_form_view").wait_for()

    def fill(self, field: str, text: str) -> None:
        # A dialog stands in front of the form.
        box = self.page.locator(f".o_field_widget[name={field}] input").last
        box.fill(text)
        box.press("Tab")

    def save(self) -> None:
        self.page.locator(".o_form_button_save").click()
        self.page.locator(".o_form_status_indicator_buttons.invisible").wait_for(state="attached")

    def close_dialog(self) -> None:
        self.page.locator(".modal-footer .btn-primary").click()
        expect(self.page.locator(".modal")).to_have_count(0)

    def toast(self, text: str) -> Locator:
        return self.page.locator(".o_notification", has_text=text)

    def close_toasts(self) -> None:
        while self.page.locator(".o_notification").count():
            self.page.locator(".o_notification_close").first.click()
            self.page.wait_for_timeout(100)

    def shoot(self, name: str) -> None:
        folder = state_dir() / "screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        # What still moves would be caught halfway.
        self.page.wait_for_timeout(400)
        self.page.screenshot(path=folder / f"{name}.png")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def desk(playwright: Playwright, databases: Databases) -> Iterator[Desk]:
    """The administrator of a new Odoo without the addon."""
    odoo = databases.odoo("desk", installed=False)
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_CHROMIUM_ARGS)
    try:
        odoo.start()
        context = browser.new_context(viewport=DESKTOP)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=odoo.url)
        desk = Desk(context, odoo)
        desk.log_in()
        yield desk
    finally:
        browser.close()
        odoo.stop()


@pytest.fixture(scope="module")
def installed(desk: Desk) -> Desk:
    """The same, once they have installed the addon from the Apps menu."""
    search = desk.page.locator(".o_searchview_input")
    search.fill("insightpulse")
    search.press("Enter")
    app = desk.page.locator(".o_kanban_record", has_text="InsightPulse Connection Manager")
    app.wait_for()
    desk.shoot("01-apps")
    with desk.page.expect_navigation(timeout=90_000):
        app.get_by_role("button", name="Activate").click()
    desk.page.locator(".o_main_navbar").wait_for(timeout=90_000)
    add_manager(desk.odoo)
    return desk


@pytest.fixture(scope="module")
def sidecar(directory: Path, executable: Path) -> Iterator[Sidecar]:
    """A sidecar that nobody has told anything about Odoo."""
    sidecar = Sidecar(directory / "desk_sidecar", executable=executable)
    configure(sidecar)
    try:
        sidecar.start(wait_for_odoo=False)
        yield sidecar
    finally:
        sidecar.stop()


def code(sidecar: Sidecar) -> str:
    return sidecar.run("pair", "--quiet", "--config", sidecar.config_file).strip()


@pytest.fixture(scope="module")
def ready(installed: Desk, sidecar: Sidecar) -> Desk:
    """The same, once they have paired Odoo and the sidecar in the Settings, with a slip on the way."""
    page = installed.page
    installed.open_menu("InsightPulse", "Configuration", "Settings")
    page.get_by_text("Not paired yet").wait_for()
    installed.shoot("04-settings-before")
    page.get_by_role("button", name="Pair with a sidecar").click()
    installed.fill("sidecar_url", sidecar.url)
    installed.fill("code", "WRONG-WRONG")
    page.locator(".modal").get_by_role("button", name="Pair").click()
    refusal = page.locator(".modal", has_text="does not accept this code")
    expect(refusal).to_contain_text("insightpulse pair")
    installed.shoot("05-wrong-code")
    refusal.locator(".btn-primary").click()
    # As somebody types it who reads it off another screen.
    installed.fill("code", code(sidecar).lower().replace("-", " "))
    installed.shoot("06-pair")
    page.locator(".modal").get_by_role("button", name="Pair").click()
    expect(installed.toast("Odoo and the sidecar are paired")).to_be_visible()
    page.get_by_text("Paired", exact=True).wait_for()
    sidecar.wait_until_ready()
    return installed


@pytest.fixture
def board(ready: Desk) -> Desk:
    """The board, loaded afresh: without toasts or dialogs of before."""
    ready.open_board()
    return ready


@pytest.fixture(autouse=True)
def no_script_fails(desk: Desk, request: pytest.FixtureRequest) -> Iterator[None]:
    desk.errors.clear()
    failed_before = request.session.testsfailed
    yield
    if request.session.testsfailed > failed_before:
        desk.shoot(f"failed-{request.node.name}")
    assert desk.errors == []


def endpoints(desk: Desk) -> Board:
    """What another session does, over RPC."""
    return Board(desk.odoo)


# ---------------------------------------------------------------- first steps


def test_the_addon_is_installed_from_the_apps_menu(installed: Desk) -> None:
    installed.open_menu("InsightPulse", "Connections")
    expect(installed.page.locator(".o_kanban_record:not(.o_kanban_ghost)")).to_have_count(5)
    for name in ("Supabase Production", "Odoo 19 Database", "Apache Superset Dashboard", "MCP Server - Notion"):
        expect(installed.card(name)).to_contain_text("Not tested")
    installed.shoot("02-board-first")


def test_without_a_sidecar_test_says_what_is_missing(installed: Desk) -> None:
    installed.open_board()
    installed.press_test("Odoo 19 Database")
    dialog = installed.page.locator(".modal")
    expect(dialog).to_contain_text("not paired with a sidecar yet")
    expect(dialog).to_contain_text("Settings → InsightPulse → Pair with a sidecar")
    installed.shoot("03-not-paired")
    installed.close_dialog()
    expect(installed.card("Odoo 19 Database")).to_contain_text("Not tested")


def test_check_finds_that_both_sides_understand_each_other(ready: Desk) -> None:
    ready.open_menu("InsightPulse", "Configuration", "Settings")
    ready.page.get_by_text("Paired", exact=True).wait_for()
    ready.page.get_by_role("button", name="Check").click()
    expect(ready.toast("understand each other, in both directions")).to_be_visible()
    ready.shoot("07-settings-after")


# ---------------------------------------------------------------- one card


def test_odoos_own_card_turns_green_with_its_latency(board: Desk, cluster: Cluster) -> None:
    board.open_card("Odoo 19 Database")
    board.fill("password", cluster.password("odoo"))
    board.shoot("08-password-typed")
    board.save()
    board.page.locator(".o_back_button").click()
    board.press_test("Odoo 19 Database")
    card = board.card("Odoo 19 Database")
    expect(card).to_contain_text("Connected")
    expect(card.locator(".o_insightpulse_latency")).to_have_text(re.compile(r"^\d+(\.\d)? ms$"))
    expect(card).to_contain_text(re.compile(r"\d+ / 200 connections"))
    expect(board.toast("Connected to Odoo 19 Database in")).to_be_visible()
    board.shoot("09-green")
    assert not board.has_reloaded()


def test_a_wrong_password_is_red_with_the_reason_on_the_card_and_in_the_toast(board: Desk) -> None:
    board.open_card("Odoo 19 Database")
    board.fill("password", "not the password")
    board.save()
    board.page.locator(".o_back_button").click()
    board.press_test("Odoo 19 Database")
    card = board.card("Odoo 19 Database")
    expect(card).to_contain_text("Failed")
    expect(card).to_contain_text("refused the password of the user “odoo”")
    expect(card.locator(".o_insightpulse_latency")).to_have_count(0)
    expect(board.toast("refused the password")).to_contain_text("type the password or key again")
    board.shoot("10-red")
    assert not board.has_reloaded()


def test_copy_puts_the_connection_string_into_the_clipboard(board: Desk, cluster: Cluster) -> None:
    board.card("Odoo 19 Database").get_by_role("button", name="Copy").click()
    expect(board.toast("Copied, with a placeholder for the password")).to_be_visible()
    copied = board.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"postgresql://odoo:[YOUR-PASSWORD]@127.0.0.1:{cluster.port}/desk"
    board.shoot("11-copied")


def test_the_form_tests_too_and_shows_where_the_time_went(board: Desk, cluster: Cluster) -> None:
    board.open_card("Odoo 19 Database")
    board.fill("password", cluster.password("odoo"))
    board.page.get_by_role("button", name="Test").click()
    health = board.page.locator(".o_insightpulse_phases")
    for phase in ("Connect", "Login", "Query"):
        expect(health).to_contain_text(phase)
    expect(board.page.locator(".o_field_widget[name=status]").first).to_have_text("Connected")
    board.shoot("12-form-green")


def test_a_failed_form_says_what_to_do(board: Desk) -> None:
    board.open_card("Odoo 19 Database")
    board.fill("password", "not the password")
    board.page.get_by_role("button", name="Test").click()
    alert = board.page.locator(".alert-danger")
    expect(alert).to_contain_text("refused the password of the user “odoo”")
    expect(alert).to_contain_text("type the password or key again")
    board.close_toasts()
    board.shoot("13-form-red")


# ---------------------------------------------------------------- many


def test_several_are_selected_in_the_list_and_tested_at_once(
    board: Desk, books: Cluster, black_hole: BlackHole
) -> None:
    well = healthy(books)
    endpoints(board).create_all(
        [
            {**well, "name": "List well"},
            {**well, "name": "List wrong", "password": "wrong"},
            {**well, "name": "List hole", "port": black_hole.port},
        ]
    )
    page = board.page
    page.locator(".o_switch_view.o_list").click()
    for name in ("List well", "List wrong", "List hole"):
        page.locator(".o_data_row", has_text=name).locator(".o_list_record_selector input").check()
    page.locator(".o_control_panel").get_by_role("button", name="Test").click()
    expect(page.locator(".o_data_row", has_text="List well")).to_contain_text("Connected")
    expect(page.locator(".o_data_row", has_text="List wrong")).to_contain_text("Failed")
    expect(page.locator(".o_data_row", has_text="List hole")).to_contain_text("did not accept a connection")
    expect(board.toast("3 connections tested")).to_be_visible()
    board.shoot("14-list")


# ---------------------------------------------------------------- typing errors


def test_a_port_that_is_none_is_refused_before_it_is_saved(board: Desk) -> None:
    board.open_card("Odoo 19 Database")
    board.fill("port", "99999")
    board.page.locator(".o_form_button_save").click()
    dialog = board.page.locator(".modal")
    expect(dialog).to_contain_text("a port is a number from 1 to 65535")
    board.shoot("15-bad-port")
    board.close_dialog()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("https://127.0.0.1", "written as a URL"),
        ("127.0.0.1:5432", "5432 belongs in the port's own field"),
        ("my server", "is not a host name"),
    ],
)
def test_a_host_that_is_none_is_explained_by_test(board: Desk, typed: str, says: str) -> None:
    name = f"Typed {typed}"
    endpoints(board).create(name=name, base_url="127.0.0.1", username="reader")
    board.open_board()
    board.open_card(name)
    board.fill("base_url", typed)
    board.page.get_by_role("button", name="Test").click()
    expect(board.page.locator(".alert-danger")).to_contain_text(says)
    board.shoot(f"16-host-{re.sub('[^a-z0-9]+', '-', typed)}")


def test_blanks_around_a_host_do_no_harm(board: Desk, books: Cluster) -> None:
    name = "Blanks"
    endpoints(board).create(**healthy(books, name=name, password=False))
    board.open_board()
    board.open_card(name)
    board.fill("base_url", "  127.0.0.1 ")
    board.fill("password", books.password("reader"))
    board.page.get_by_role("button", name="Test").click()
    expect(board.page.locator(".o_field_widget[name=status]").first).to_have_text("Connected")


def test_the_form_warns_that_another_host_costs_the_password(board: Desk) -> None:
    board.open_card("Blanks")
    board.fill("base_url", "127.0.0.2")
    expect(board.toast("Secrets will be removed")).to_be_visible()
    board.shoot("17-secret-removed")
    board.save()
    expect(board.page.locator(".o_field_widget[name=password] input")).to_have_value("")


# ---------------------------------------------------------------- secrets on purpose


def test_an_administrator_moves_a_connection_with_its_password(board: Desk, books: Cluster) -> None:
    endpoints(board).create(**healthy(books, name="Moves", base_url="localhost"))
    board.open_board()
    board.open_card("Moves")
    board.page.get_by_role("button", name="Move with Secrets").click()
    board.page.locator(".modal .o_field_widget[name=base_url] input").wait_for()
    board.fill("base_url", "127.0.0.1")
    board.shoot("21-move")
    board.page.locator(".modal").get_by_role("button", name="Move").click()
    expect(board.page.locator(".modal")).to_have_count(0)
    expect(board.page.locator(".o_field_widget[name=base_url] input")).to_have_value("127.0.0.1")
    board.page.get_by_role("button", name="Test").click()
    expect(board.page.locator(".o_field_widget[name=status]").first).to_have_text("Connected")


def test_an_administrator_sees_a_password_and_finds_it_in_the_audit_log(board: Desk, books: Cluster) -> None:
    board.open_card("Moves")
    board.page.locator(".o_form_statusbar").get_by_role("button", name="Connect").click()
    shown = board.page.locator(".modal")
    expect(shown).to_contain_text("[YOUR-PASSWORD]")
    shown.get_by_label("Reveal secrets").click()
    expect(shown).to_contain_text("is in the audit log")
    shown.get_by_role("tab", name="Environment").click()
    expect(shown.locator("pre")).to_contain_text(f"MOVES_PASSWORD={books.password('reader')}")
    board.shoot("22-revealed")
    shown.locator(".modal-footer").get_by_role("button", name="Close").click()
    board.open_menu("InsightPulse", "Audit Log")
    rows = board.page.locator(".o_data_row", has_text="Moves")
    expect(rows.filter(has_text="Secret revealed").first).to_contain_text("127.0.0.1")
    expect(rows.filter(has_text="Moved with its secrets")).to_contain_text("admin")
    board.shoot("23-audit-log")
    rows.filter(has_text="Moved with its secrets").click()
    expect(board.page.locator(".o_form_view")).to_contain_text("localhost")
    board.shoot("24-audit-entry")


# ---------------------------------------------------------------- configurations


def test_the_dialog_of_a_card_has_every_way_to_a_supabase_project(board: Desk) -> None:
    board.open_board()
    board.card("Supabase Production").get_by_role("button", name="Connect").click()
    dialog = board.page.locator(".modal")
    expect(dialog.locator(".modal-title")).to_have_text("Connect to Supabase Production")
    # Where somebody left it the last time.
    expect(dialog.get_by_role("tab", name="Environment")).to_have_attribute("aria-selected", "true")
    dialog.get_by_role("tab", name="Connection string").click()
    direct = "postgresql://postgres:[YOUR-PASSWORD]@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres?sslmode=require"
    expect(dialog.locator("pre")).to_have_text(direct)
    board.shoot("31-connect")
    dialog.get_by_role("button", name="Transaction pooler").click()
    expect(dialog.locator("pre")).to_contain_text("postgres.spdtwktxdalcfigzeqrz:[YOUR-PASSWORD]@aws-0-[YOUR-REGION]")
    board.shoot("32-connect-pooler")
    dialog.get_by_role("button", name="Copy", exact=True).click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert ":6543/postgres" in board.page.evaluate("navigator.clipboard.readText()")
    for tab in dialog.get_by_role("tab").all():
        tab.click()
        board.shoot(f"33-connect-{tab.inner_text().lower().replace(' ', '-')}")
    expect(dialog.get_by_label("Reveal secrets")).to_have_count(0)
    dialog.get_by_role("tab", name="Code").click()
    dialog.get_by_role("button", name="Python").click()
    with board.page.expect_download() as downloading:
        dialog.get_by_role("button", name="Download", exact=True).click()
    assert downloading.value.suggested_filename == "supabase-production.py"
    assert "psycopg.connect(" in Path(downloading.value.path()).read_text()
    board.close_dialog()


def test_what_is_revealed_hides_itself(board: Desk) -> None:
    board.open_board()
    board.card("Moves").get_by_role("button", name="Connect").click()
    dialog = board.page.locator(".modal")
    dialog.get_by_label("Reveal secrets").click()
    expect(dialog).to_contain_text("Secrets hidden in")
    board.shoot("34-connect-revealed")
    # Sooner than by itself: another tab is in front.
    board.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    board.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(dialog.locator("pre")).to_contain_text("[YOUR-PASSWORD]")
    board.page.evaluate("delete document.hidden")
    expect(dialog.get_by_label("Reveal secrets")).not_to_be_checked()
    board.close_dialog()


def test_many_are_one_file_or_an_archive(board: Desk) -> None:
    board.page.goto(f"{board.odoo.url}/odoo/connections?view_type=list")
    board.page.locator(".o_data_row").first.wait_for()
    board.page.locator("thead .o_list_record_selector input").check()
    board.page.locator(".o_control_panel").get_by_role("button", name="Connect").click()
    dialog = board.page.locator(".modal")
    expect(dialog.locator(".modal-title")).to_contain_text("connections")
    dialog.get_by_role("tab", name="Environment").click()
    expect(dialog.locator("pre")).to_contain_text("# Supabase Production")
    expect(dialog.locator("pre")).to_contain_text("MCP_SERVER___NOTION_URL=")
    board.shoot("35-connect-many")
    with board.page.expect_download() as downloading:
        dialog.get_by_role("button", name="Download all as zip").click()
    assert downloading.value.suggested_filename == "connections.zip"
    with zipfile.ZipFile(downloading.value.path()) as archive:
        names = archive.namelist()
        assert "supabase-production/supabase-production.env" in names
        # Two of those that have the ending .txt.
        assert "supabase-production/supabase-production.jdbc.txt" in names
    board.close_dialog()


def test_a_pasted_text_fills_a_new_connection_in(board: Desk, books: Cluster) -> None:
    board.open_board()
    board.page.get_by_role("button", name="Paste").click()
    dialog = board.page.locator(".modal")
    dialog.get_by_label("Text").fill("hello world")
    dialog.get_by_role("button", name="Fill in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("No connection was found")
    board.shoot("36-paste-error")
    password = books.password("reader")
    dialog.get_by_label("Text").fill(
        f"# Ledger\nLEDGER_URL=postgresql://reader@127.0.0.1:{books.port}/books\nLEDGER_PASSWORD='{password}'\n"
    )
    dialog.get_by_role("button", name="Fill in").click()
    expect(board.page.locator(".modal")).to_have_count(0)
    expect(board.page.locator(".o_field_widget[name=base_url] input")).to_have_value("127.0.0.1")
    board.shoot("37-pasted")
    board.save()
    board.page.get_by_role("button", name="Test").click()
    expect(board.page.locator(".o_field_widget[name=status]").first).to_have_text("Connected")


def test_the_databases_of_agencies_are_made_from_one_template(board: Desk, books: Cluster) -> None:
    board.open_board()
    board.page.get_by_role("button", name="For Agencies").click()
    form = board.page.locator(".o_insightpulse_agency_databases")
    form.wait_for()
    form.get_by_label("Server").fill("127.0.0.1")
    form.get_by_label("Port").fill(str(books.port))
    form.get_by_label("User").fill("reader")
    form.locator("textarea").fill("RIM_DB_PASSWORD=one\nCKVC_DB_PASSWORD='t wo'\nXYZ_DB_PASSWORD=three\n")
    board.shoot("38-agencies")
    form.get_by_role("button", name="Preview").click()
    expect(form).to_contain_text("XYZ_DB_PASSWORD")
    expect(form).to_contain_text("rim_db")
    board.shoot("39-agencies-preview")
    form.get_by_label("Create without passwords").check()
    form.get_by_role("button", name=re.compile("Create 8")).click()
    expect(board.card("RMQB Database")).to_be_visible()
    expect(board.page.locator(".o_insightpulse_card")).to_have_count(8)
    board.shoot("40-agencies-created")


# ---------------------------------------------------------------- the board moves by itself


def test_a_test_of_another_session_moves_the_card(board: Desk, books: Cluster) -> None:
    well = healthy(books)
    endpoint = endpoints(board).create(name="Moved by another", **well)
    board.open_board()
    card = board.card("Moved by another")
    expect(card).to_contain_text("Not tested")
    endpoints(board).test(endpoint)
    expect(card).to_contain_text("Connected")
    assert not board.has_reloaded()


def test_the_board_fits_on_a_phone(board: Desk) -> None:
    board.page.set_viewport_size(PHONE)
    try:
        board.page.reload()
        card = board.page.locator(".o_insightpulse_card").first
        card.wait_for()
        width = board.page.evaluate("document.documentElement.scrollWidth")
        board.shoot("18-phone")
        assert width <= PHONE["width"]
    finally:
        board.page.set_viewport_size(DESKTOP)
        board.page.reload()


def test_a_connection_that_breaks_turns_red_by_itself(ready: Desk) -> None:
    with Switchboard() as switchboard:
        values = {"connection_type": "api", "interval_s": 5, "failure_threshold": 2, "is_paused": False}
        endpoint = endpoints(ready).create(name="Watched", base_url=switchboard.url(1), **values)
        ready.open_board()
        card = ready.card("Watched")
        expect(card).to_contain_text("Connected")
        switchboard.down.add(1)
        expect(card.locator(".o_insightpulse_status")).to_contain_text("Failed")
        expect(card).to_contain_text("503")
        ready.shoot("18-red-by-itself")
        assert not ready.has_reloaded()
        card.locator(".o_insightpulse_card_name").click()
        history = ready.page.locator(".o_insightpulse_history")
        expect(history.locator(".o_insightpulse_events li").first).to_contain_text("Failed")
        expect(history.locator("canvas")).to_be_visible()
        expect(ready.page.locator(".o-mail-Chatter")).to_contain_text("Watched: Failed")
        ready.shoot("18-history")
        history.get_by_role("button", name="7 days").click()
        expect(history.locator("[data-range='7d']")).to_contain_text("%")
        endpoints(ready).call("action_pause", [endpoint])


def test_a_stopped_sidecar_is_a_clear_error(board: Desk, sidecar: Sidecar) -> None:
    sidecar.stop()
    before = endpoints(board).call("search_read", [], ["name", "status", "last_probe_id"])
    try:
        board.press_test("Odoo 19 Database")
        dialog = board.page.locator(".modal")
        expect(dialog).to_contain_text("The sidecar does not answer at")
        expect(dialog).to_contain_text("Nothing was changed")
        board.shoot("19-sidecar-stopped")
        board.close_dialog()
        assert endpoints(board).call("search_read", [], ["name", "status", "last_probe_id"]) == before
    finally:
        sidecar.start()


def test_without_a_websocket_the_card_moves_for_whoever_pressed_the_button(
    ready: Desk, books: Cluster, black_hole: BlackHole
) -> None:
    # With workers, Odoo has no websocket at the port that the pages come from.
    ready.odoo.stop()
    ready.odoo.workers = 2
    ready.odoo.start()
    ready.open_board()
    wait_until(lambda: "Couldn't bind the websocket" in ready.odoo.log.read_text(), "the websocket is refused")
    endpoints(ready).create(name="Polled", port=black_hole.port, username="reader")
    ready.open_board()
    ready.press_test("Polled")
    expect(ready.toast("Testing Polled …")).to_be_visible()
    expect(ready.card("Polled")).to_contain_text("did not accept a connection")
    expect(ready.toast("Polled failed")).to_be_visible()
    ready.shoot("20-polled")
    assert not ready.has_reloaded()
