"""What deploy/ says is true, as far as that can be seen without a container engine.

Linters and published schemas read every file; the sidecar itself is started with each
file's variables, since it refuses those that it does not know.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
# The oldest and the newest release that the manifests are written for.
KUBERNETES_VERSIONS = ["1.34.0", "1.37.0"]
# serve stops in 5 s (probes) + 5 s (last write-back) at most.
GRACEFUL_STOP_S = 16


# ------------------------------------------------------------------ helpers


def tool(name):
    """The command as installed beside this Python, which need not be on PATH."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, f"{name} is missing: install tests/requirements.txt"
    return found


def check(*command, cwd=ROOT, env=None):
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def manifests():
    files = sorted(KUBERNETES.glob("*.yaml"))
    assert files
    return [
        document
        for file in files
        if file.name != "kustomization.yaml"
        for document in yaml.safe_load_all(file.read_text())
    ]


def manifest(kind, name):
    (found,) = [m for m in manifests() if m["kind"] == kind and m["metadata"]["name"] == name]
    return found


def sidecar_pod():
    return manifest("Deployment", "insightpulse-sidecar")["spec"]["template"]["spec"]


def odoo_pod():
    return manifest("Deployment", "odoo")["spec"]["template"]["spec"]


def unit():
    """The unit's [Service] settings: each name with all its values."""
    settings = {}
    section = None
    for line in (DEPLOY / "insightpulse.service").read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            name, value = line.split("=", 1)
            settings.setdefault(name, []).append(value)
    return settings


def seconds(text):
    return int(re.fullmatch(r"(\d+)s?", str(text))[1])


def dockerfile():
    """The Dockerfile's instructions, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    text = text.replace("\\\n", " ")
    return [line.split(None, 1) for line in text.splitlines() if line.strip()]


def copied_from_context():
    """The repository paths that the Dockerfile copies."""
    sources = []
    for instruction, rest in dockerfile():
        words = shlex.split(rest)
        if instruction == "COPY" and not any(word.startswith("--from=") for word in words):
            sources += [word.rstrip("/") for word in words[:-1] if not word.startswith("--")]
    return sources


def reaches_build(path):
    """Whether a repository path passes .dockerignore: the last rule that matches it or a parent."""
    parents = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    passes = True
    for rule in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines():
        if not rule or rule.startswith("#"):
            continue
        keeps, pattern = rule.startswith("!"), rule.lstrip("!")
        if pattern == "*":
            matches = True
        elif pattern.startswith("**/"):
            matches = any(fnmatch.fnmatch(Path(p).name, pattern[3:]) for p in parents)
        else:
            matches = pattern in parents
        if matches:
            passes = keeps
    return passes


@pytest.fixture(scope="session")
def target():
    metadata = check("cargo", "metadata", "--no-deps", "--format-version=1")
    return Path(json.loads(metadata)["target_directory"]) / "release"


@pytest.fixture(scope="session")
def insightpulse(target):
    check("cargo", "build", "--locked", "--release", "--quiet", "--bin", "insightpulse")
    return target / "insightpulse"


# -------------------------------------------------- Dockerfile and its context


def test_the_linter_finds_nothing_in_the_dockerfile():
    check(tool("hadolint"), "--failure-threshold=style", DEPLOY / "Dockerfile")


def test_all_that_the_dockerfile_copies_exists_and_passes_dockerignore():
    sources = copied_from_context()
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert reaches_build(source), f"{source} is held back by .dockerignore"


def test_state_and_secrets_stay_out_of_the_build():
    for path in [
        "deploy/secrets/db_password",
        "deploy/.env",
        ".git/config",
        ".run/keyring.toml",
        "target/release",
    ]:
        assert not reaches_build(path), path


def test_every_file_that_the_binary_is_made_of_is_copied(insightpulse, target):
    """Cargo's own list, which has included files and build scripts' inputs too."""
    listed = (target / "insightpulse.d").read_text().replace("\\ ", "\0")
    files = [Path(name.replace("\0", " ")) for name in listed.split(":", 1)[1].split()]
    files = [file.relative_to(ROOT).as_posix() for file in files if file.is_relative_to(ROOT)]
    files = [file for file in files if not (ROOT / file).is_relative_to(target.parent)]
    assert "crates/sidecar/src/main.rs" in files
    files += [name for name in ("rust-toolchain.toml", ".cargo/config.toml") if (ROOT / name).exists()]
    copied = copied_from_context()
    for file in files:
        assert any(file == source or file.startswith(f"{source}/") for source in copied), (
            f"the build needs {file}, which the Dockerfile does not copy"
        )
        assert reaches_build(file), f"{file} is held back by .dockerignore"


def test_the_workspace_resolves_from_what_is_copied(tmp_path):
    for source in copied_from_context():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("target"))
        else:
            shutil.copy(ROOT / source, tmp_path / source)
    host = re.search(r"^host: (.+)$", check("rustc", "-vV"), re.MULTILINE)[1]
    check(
        "cargo",
        "metadata",
        "--locked",
        "--format-version=1",
        f"--filter-platform={host}",
        cwd=tmp_path,
    )


def test_the_image_runs_as_a_numbered_user_that_is_not_root():
    last_stage = dockerfile()[max(i for i, line in enumerate(dockerfile()) if line[0] == "FROM") :]
    users = [rest for instruction, rest in last_stage if instruction == "USER"]
    assert users, "the final stage names no user"
    uid = users[-1].split(":")[0]
    assert uid.isdigit() and int(uid) > 0
    assert int(uid) == sidecar_pod()["securityContext"]["runAsUser"]


def test_the_image_starts_the_binary_itself_so_that_signals_reach_it():
    (entrypoint,) = [rest for instruction, rest in dockerfile() if instruction == "ENTRYPOINT"]
    assert json.loads(entrypoint) == ["/usr/local/bin/insightpulse"]
    assert json.loads([rest for i, rest in dockerfile() if i == "CMD"][-1]) == ["serve"]


# ----------------------------------------------------------------- images


def images():
    for instruction, rest in dockerfile():
        if instruction == "FROM":
            yield "Dockerfile", rest.split()[0]
    for service in compose()["services"].values():
        yield "compose.yaml", service["image"]
    for pod in (sidecar_pod(), odoo_pod()):
        for container in pod.get("initContainers", []) + pod["containers"]:
            yield "kubernetes", container["image"]


def test_every_image_is_pinned_to_a_major_version_at_least():
    for where, image in images():
        name, _, tag = image.rpartition(":")
        pinned = re.match(r"\d", tag) or re.search(r"-debian\d+$", name)
        assert pinned, f"{where}: {image}"


def test_the_versions_are_those_that_the_product_is_made_for():
    services = compose()["services"]
    assert services["odoo"]["image"] == "odoo:19"
    assert services["db"]["image"] == "postgres:16"
    assert odoo_pod()["containers"][0]["image"] == "odoo:19"


def test_our_own_images_carry_the_workspace_version():
    metadata = json.loads(check("cargo", "metadata", "--no-deps", "--format-version=1"))
    (version,) = {package["version"] for package in metadata["packages"]}
    ours = [image for _, image in images() if image.startswith("insightpulse-")]
    assert len(ours) >= 3
    assert {image.rpartition(":")[2] for image in ours} == {version}


# ---------------------------------------------------------------- compose


def test_compose_follows_the_compose_specification():
    check(tool("check-jsonschema"), "--builtin-schema=vendor.compose-spec", DEPLOY / "compose.yaml")


def test_compose_uses_only_what_it_declares_and_declares_only_what_it_uses():
    stack = compose()
    used = {"volumes": set(), "networks": set(), "secrets": set()}
    for service in stack["services"].values():
        used["secrets"] |= set(service.get("secrets", []))
        used["networks"] |= set(service["networks"])
        used["volumes"] |= {v.split(":")[0] for v in service.get("volumes", []) if not v.startswith((".", "/"))}
        assert set(service.get("depends_on", {})) <= set(stack["services"])
        for value in service.get("environment", {}).values():
            if value.startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], value
    for kind, names in used.items():
        assert names == set(stack[kind]), kind


def test_compose_mounts_what_exists_and_the_addon_where_odoo_looks_for_it():
    for service in compose()["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).is_dir(), source
    (addon,) = [v for v in compose()["services"]["odoo"]["volumes"] if "extra-addons" in v]
    name = "insightpulse_connection_manager"
    assert addon == f"../odoo_addon/{name}:/mnt/extra-addons/{name}:ro"
    assert (ROOT / "odoo_addon" / name / "__manifest__.py").is_file()
    assert "addons_path = /mnt/extra-addons" in (DEPLOY / "odoo.conf.example").read_text()


def test_compose_publishes_odoo_alone_and_on_loopback_unless_told_otherwise():
    published = {name: s["ports"] for name, s in compose()["services"].items() if s.get("ports")}
    assert published == {"odoo": ["${ODOO_LISTEN:-127.0.0.1:8069}:8069"]}


def test_in_compose_only_odoo_is_beside_the_sidecar_where_that_listens():
    services = compose()["services"]
    sidecar = services["sidecar"]
    listens_on = sidecar["environment"]["INSIGHTPULSE_SERVER__HOST"]
    (network,) = [name for name, n in sidecar["networks"].items() if listens_on in n.get("aliases", [])]
    neighbours = {name for name, service in services.items() if network in service["networks"]}
    assert neighbours == {"odoo", "sidecar"}


def test_in_compose_the_keys_lie_apart_from_the_data():
    services = compose()["services"]
    keys = {v.split(":")[0] for v in services["sidecar"]["volumes"]}
    others = {v.split(":")[0] for name in ("db", "odoo") for v in services[name]["volumes"]}
    assert keys and not keys & others
    assert "secrets" not in services["sidecar"]


def test_every_variable_that_compose_asks_for_is_in_the_example():
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    example = (DEPLOY / ".env.example").read_text()
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_git_ignores_what_the_user_fills_in():
    for path in ["deploy/.env", "deploy/secrets/db_password"]:
        check("git", "check-ignore", "--quiet", "--no-index", path)


# -------------------------------------------------------------- Kubernetes


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_the_manifests_follow_the_strict_schema_of_kubernetes(version):
    files = sorted(file for file in KUBERNETES.glob("*.yaml") if file.name != "kustomization.yaml")
    printed = check(tool("kubernetes-validate"), "--strict", "-k", version, *files)
    assert printed.count(" passed for resource ") == len(manifests())


def test_the_kustomization_has_every_manifest_but_the_secrets():
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = {file.name for file in KUBERNETES.glob("*.yaml")}
    assert set(kustomization["resources"]) == files - {"kustomization.yaml", "secrets.example.yaml"}
    assert kustomization["namespace"] == manifest("Namespace", "insightpulse")["metadata"]["name"]
    used = {image.rpartition(":")[0] for where, image in images() if where == "kubernetes"}
    assert {image["name"] for image in kustomization["images"]} <= used


def test_the_secrets_are_templates():
    for secret in (m for m in manifests() if m["kind"] == "Secret"):
        assert set(secret["stringData"].values()) == {"CHANGE_ME"}
        assert not secret.get("data")


def test_every_reference_between_manifests_is_met():
    names = {(m["kind"], m["metadata"]["name"]) for m in manifests()}
    for pod in (sidecar_pod(), odoo_pod()):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in pod.get("initContainers", []) + pod["containers"]:
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= set(volumes), container["name"]
            for source in container.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in names
        for volume in volumes.values():
            if "secret" in volume:
                assert ("Secret", volume["secret"]["secretName"]) in names
            if "persistentVolumeClaim" in volume:
                assert (
                    "PersistentVolumeClaim",
                    volume["persistentVolumeClaim"]["claimName"],
                ) in names
    for name in ("insightpulse-sidecar", "odoo"):
        labels = manifest("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        assert manifest("Deployment", name)["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert manifest("Service", name)["spec"]["selector"].items() <= labels.items()


def test_the_sidecar_pod_keeps_to_the_restricted_pod_security_standard():
    pod = sidecar_pod()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert not any("hostPath" in volume for volume in pod["volumes"])
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]


def test_there_is_never_a_second_sidecar():
    spec = manifest("Deployment", "insightpulse-sidecar")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"]["type"] == "Recreate"


def test_kubernetes_adds_no_variable_that_the_sidecar_would_refuse():
    """For a Service insightpulse-sidecar it would set INSIGHTPULSE_SIDECAR_SERVICE_HOST."""
    assert sidecar_pod()["enableServiceLinks"] is False


def test_probes_ask_the_routes_that_need_no_token():
    (container,) = sidecar_pod()["containers"]
    asked = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
    assert asked == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    env = {e["name"]: e["value"] for e in container["env"]}
    assert ports == {"http": int(env["INSIGHTPULSE_SERVER__PORT"])}


def test_only_odoo_may_call_the_sidecar_in_the_cluster():
    policy = manifest("NetworkPolicy", "insightpulse-sidecar")["spec"]
    pods = manifest("Deployment", "insightpulse-sidecar")["spec"]["template"]["metadata"]["labels"]
    odoo = manifest("Deployment", "odoo")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= pods.items()
    assert "Ingress" in policy["policyTypes"]
    (rule,) = policy["ingress"]
    (caller,) = rule["from"]
    assert list(caller) == ["podSelector"], "another namespace could call it"
    assert caller["podSelector"]["matchLabels"].items() <= odoo.items()
    assert not caller["podSelector"]["matchLabels"].items() <= pods.items()
    assert [port["port"] for port in rule["ports"]] == [8787]
    blocks = [peer["ipBlock"] for rule in policy["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert {e for block in blocks for e in block["except"]} == {
        "169.254.169.254/32",
        "fd00:ec2::254/128",
    }


def test_the_sidecars_pod_keeps_its_keys_apart_from_what_it_remembers():
    pod = sidecar_pod()
    (container,) = pod["containers"]
    environment = {e["name"]: e["value"] for e in container["env"]}
    places = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert environment["INSIGHTPULSE_KEYRING__MOUNTED"] == places["keyring"]["mountPath"] + "/keyring.toml"
    assert places["keyring"]["readOnly"] is True
    assert environment["INSIGHTPULSE_STATE_DIR"].startswith(places["state"]["mountPath"] + "/")
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert "persistentVolumeClaim" in volumes["state"]
    # 0440 at most: whoever could write it would choose the keys.
    assert volumes["keyring"]["secret"]["defaultMode"] & 0o022 == 0
    assert set(manifest("Secret", "insightpulse-keyring")["stringData"]) == {"keyring.toml"}
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_the_addon_image_fills_the_folder_that_odoo_reads():
    (container,) = odoo_pod()["initContainers"]
    (odoo,) = odoo_pod()["containers"]
    assert container["image"].startswith("insightpulse-addon:")
    mounts = [{m["mountPath"] for m in c["volumeMounts"] if m["name"] == "addons"} for c in (container, odoo)]
    assert mounts == [{"/mnt/extra-addons"}] * 2
    assert ["CMD", '["cp", "-R", "/addon/.", "/mnt/extra-addons/"]'] in dockerfile()


# ----------------------------------------------------------------- systemd


def test_systemd_reads_the_unit_without_a_complaint(tmp_path, insightpulse):
    installed = "/usr/local/bin/insightpulse"
    text = (DEPLOY / "insightpulse.service").read_text()
    assert installed in text
    copy = tmp_path / "insightpulse.service"
    copy.write_text(text.replace(installed, str(insightpulse)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True)
    # It reads what else is installed on this machine too; that is not ours to mend.
    ours = [line for line in done.stderr.splitlines() if "insightpulse" in line]
    assert not ours and done.returncode == 0, done.stderr


def test_systemd_finds_the_unit_little_exposed():
    check(
        "systemd-analyze",
        "security",
        "--offline=yes",
        "--threshold=15",
        DEPLOY / "insightpulse.service",
    )


def test_the_unit_needs_no_secret_and_keeps_keys_in_a_folder_of_its_own():
    service = unit()
    assert "LoadCredential" not in service
    environment = dict(value.split("=", 1) for value in service["Environment"])
    assert environment == {"INSIGHTPULSE_STATE_DIR": "%S/" + service["StateDirectory"][0]}
    assert service["StateDirectoryMode"] == ["0700"]
    # For a socket that a group may use.
    assert service["RuntimeDirectoryMode"] == ["0750"]
    assert all(value.startswith("-") for value in service["EnvironmentFile"])
    assert service["Type"] == ["exec"]


# ------------------------------------------------------------ what all share


def test_every_stop_waits_longer_than_the_sidecar_needs():
    waits = {
        "compose": compose()["services"]["sidecar"]["stop_grace_period"],
        "kubernetes": sidecar_pod()["terminationGracePeriodSeconds"],
        "systemd": unit()["TimeoutStopSec"][0],
    }
    for where, wait in waits.items():
        assert seconds(wait) > GRACEFUL_STOP_S, where


def image_environment():
    text = " ".join(rest for instruction, rest in dockerfile() if instruction == "ENV")
    return dict(word.split("=", 1) for word in shlex.split(text))


def kubernetes_environment():
    (container,) = sidecar_pod()["containers"]
    environment = image_environment() | manifest("ConfigMap", "insightpulse-sidecar")["data"]
    return environment | {e["name"]: e["value"] for e in container["env"]}


def compose_environment():
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    environment = compose()["services"]["sidecar"]["environment"]
    filled = {k: re.sub(r"\$\{(\w+)[^}]*\}", lambda m: example[m[1]], v) for k, v in environment.items()}
    return image_environment() | filled


def systemd_environment():
    """The unit's variables, and those that README.md puts into its EnvironmentFile."""
    readme = (DEPLOY / "README.md").read_text()
    file = re.search(r"^# /etc/insightpulse/insightpulse\.env\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    environment = dict(line.split("=", 1) for line in file[1].splitlines() if line)
    return environment | dict(value.split("=", 1) for value in unit()["Environment"])


ENVIRONMENTS = {
    "compose": compose_environment,
    "kubernetes": kubernetes_environment,
    "systemd": systemd_environment,
}


def on_this_machine(environment, folder):
    """The same variables, with paths below `folder` and a free port on loopback."""
    folder.mkdir(parents=True)
    here = dict(environment)
    assert all(name.startswith("INSIGHTPULSE_") for name in here), here
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        here["INSIGHTPULSE_SERVER__PORT"] = str(listener.getsockname()[1])
    # A name stays a name: Compose has the sidecar listen on what one stands for.
    is_address = re.fullmatch(r"[\d.]+", here.get("INSIGHTPULSE_SERVER__HOST", "127.0.0.1"))
    here["INSIGHTPULSE_SERVER__HOST"] = "127.0.0.1" if is_address else "localhost"
    here["INSIGHTPULSE_STATE_DIR"] = str(folder / "state")
    if "INSIGHTPULSE_KEYRING__MOUNTED" in here:
        here["INSIGHTPULSE_KEYRING__MOUNTED"] = str(folder / "mounted.toml")
    return here


def make_keyring(insightpulse, environment):
    """As README.md has it: in the state directory, or elsewhere and then mounted."""
    mounted = environment.get("INSIGHTPULSE_KEYRING__MOUNTED")
    at_home = {k: v for k, v in environment.items() if k != "INSIGHTPULSE_KEYRING__MOUNTED"}
    check(insightpulse, "keys", "add", env=at_home)
    if mounted:
        (Path(environment["INSIGHTPULSE_STATE_DIR"]) / "keyring.toml").rename(mounted)
        Path(mounted).chmod(0o440)


def clean(environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("INSIGHTPULSE_")}
    return inherited | environment


def wait_until_healthy(process, environment, until):
    host, port = environment["INSIGHTPULSE_SERVER__HOST"], environment["INSIGHTPULSE_SERVER__PORT"]
    while time.monotonic() < until:
        if process.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


@pytest.mark.parametrize("where", ENVIRONMENTS)
def test_the_sidecar_starts_with_these_variables_and_stops_on_sigterm(where, insightpulse, tmp_path):
    environment = clean(on_this_machine(ENVIRONMENTS[where](), tmp_path / where))
    make_keyring(insightpulse, environment)
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen([insightpulse, "serve"], env=environment, stdout=log, stderr=log)
    try:
        healthy = wait_until_healthy(process, environment, time.monotonic() + 15)
        log.seek(0)
        assert healthy, log.read()
        assert re.fullmatch(r"[0-9A-Z]{5}-[0-9A-Z]{5}", check(insightpulse, "pair", "--quiet", env=environment).strip())
        process.send_signal(signal.SIGTERM)
        assert process.wait(GRACEFUL_STOP_S) == 0
    finally:
        process.kill()
        process.wait()
        log.close()


@pytest.mark.parametrize(
    "variable", ["INSIGHTPULSE_SERVER__SOKET", "INSIGHTPULSE_ODOO__URI", "INSIGHTPULSE_SIDECAR_SERVICE_HOST"]
)
def test_the_sidecar_refuses_a_variable_that_it_does_not_know(variable, insightpulse, tmp_path):
    """Else the test above would prove nothing."""
    environment = clean(on_this_machine(compose_environment(), tmp_path / "refused"))
    make_keyring(insightpulse, environment)
    environment[variable] = "10.0.0.1"
    done = subprocess.run([insightpulse, "serve"], env=environment, capture_output=True, text=True, timeout=10)
    assert done.returncode != 0
    assert re.search("unknown field `(soket|uri|sidecar_service_host)`", done.stderr), done.stderr
