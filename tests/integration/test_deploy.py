"""What is shipped to run the service elsewhere: the image, all of it on one machine, and Kubernetes."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from personalize import cli
from personalize.settings import PREFIX, SECRETS, Settings
from tests.conftest import free_port, real_part
from tests.dockerfile import Builder, Stage, read
from tests.documents import ROOT
from tests.processes import PYTHON, personalize, running, wait_for_urls, wait_until_ready

pytestmark = pytest.mark.timeout(300)
"""Whoever asks for the builder first waits for it."""

DEPLOY = ROOT / "deploy"
STAGES = read(DEPLOY / "Dockerfile")
BUILD, IMAGE = STAGES
OVERLAYS = ("base", "overlays/redis-sentinel", "overlays/redis-cluster", "overlays/eu")
KUBERNETES = ("1.30.0", "1.34.1", "1.37.0")
"""Versions whose schemas the manifests are held to, strictly: a name that is none is an error."""

SECRET = {"access-token": "fake-token", "hash-key": "fake-hash-key-0123456789", "api-keys": "ours:fake-key-0123456789"}
"""What deploy/README.md has one put into the Secret."""

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Return the builder of the image, which it has built."""
    unshare = [real_part("unshare"), "--mount", "true"]
    if subprocess.run(unshare, capture_output=True, check=False, timeout=10).returncode:
        if "REQUIRE_REAL_PARTS" in os.environ:
            pytest.fail("namespaces cannot be made")
        pytest.skip("namespaces cannot be made: that is root's right")
    folder = tmp_path_factory.mktemp("image")
    builder = Builder(folder, context(folder / "context"))
    for stage in STAGES:
        builder.build(stage)
    return builder


def context(folder: Path) -> Path:
    """Return what Docker would be given of the checkout, as .dockerignore says."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in [line[1:] for line in lines if line.startswith("!")]:
        there = folder / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, there)
    return folder


@pytest.mark.timeout(300)  # with the making of the image
def test_the_image_serves_as_nobody_and_writes_nowhere(builder: Builder) -> None:
    """Its steps taken as they stand, its command answers, its health check agrees, and it leaves when told to."""
    port = free_port()
    told = {"PERSONALIZE_SPACE_ID": "s", "PERSONALIZE_ACCESS_TOKEN": "fake", "PERSONALIZE_DRAIN_DELAY": "0s"}
    command = [*IMAGE.words("ENTRYPOINT"), *IMAGE.words("CMD"), "--port", str(port), "--workers", "2"]
    check = shlex.join([*IMAGE.words("HEALTHCHECK"), f"http://127.0.0.1:{port}"])

    def healthy() -> bool:
        asked = subprocess.run(builder.container(IMAGE, check), capture_output=True, timeout=30, check=False)
        return asked.returncode == 0

    with running(builder.container(IMAGE, f"exec {shlex.join(command)}", **told)) as run:
        wait_until_ready(wait_for_urls(run, 1)[0])
        assert healthy()
        status = Path(f"/proc/{run.process.pid}/status").read_text(encoding="utf-8")
        run.process.terminate()
        assert run.process.wait(30) == 0, run.output
    assert re.search(r"^Uid:\t10001\t10001\t10001\t10001$", status, re.MULTILINE)
    assert not healthy()


def test_the_image_holds_what_is_locked_and_nothing_to_install_with(builder: Builder) -> None:
    """Only the locked packages and the service; neither pip nor a compiler's way in."""
    listed = "python -c 'import importlib.metadata as m; print(*(d.name for d in m.distributions()))'"
    said = subprocess.run(builder.container(IMAGE, listed), capture_output=True, text=True, check=True, timeout=30)
    names = {name.lower().replace("_", "-") for name in said.stdout.split()}
    locked = set(re.findall(r"^([a-z0-9-]+)==", (DEPLOY / "requirements.txt").read_text(), re.MULTILINE))
    assert names - {"personalize"} <= locked
    assert "personalize" in names
    tried = subprocess.run(builder.container(IMAGE, "touch /venv/x"), capture_output=True, check=False, timeout=30)
    assert tried.returncode != 0


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name or "image")
def test_the_dockerfile_is_as_linters_want_it(stage: Stage) -> None:
    """A base at an exact version, packages by their hashes and without leftovers, nothing fetched by ADD."""
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", stage.base)
    assert stage.all("ADD") == []
    for step in stage.all("RUN"):
        assert "sudo" not in step
        assert "apt-get" not in step
        if "pip install" in step:
            assert "--no-cache" in step
            assert "/uv " not in step or "--compile-bytecode" in step  # the image compiles nothing itself
            assert "--require-hashes" in step or {"--no-deps", "--no-index"} <= {*step.split()}
    for path in stage.all("COPY"):
        assert "--from" in path or " . " not in f" {path.rsplit(' ', 1)[0]} "


def test_the_image_is_nobodys(tmp_path: Path) -> None:
    """It runs as a user by number, by words and not a shell's line, and says how it is asked whether it is well."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", IMAGE.user)
    assert IMAGE.words("ENTRYPOINT") == ["personalize"]
    assert IMAGE.words("CMD")[0] == "serve"
    assert IMAGE.words("HEALTHCHECK") == ["personalize", "health"]
    assert all(name not in IMAGE.variables for name in (PREFIX + secret for secret in SECRETS))
    given = {path.relative_to(tmp_path).parts[0] for path in context(tmp_path).rglob("*")}
    copied = {word.split("/")[0] for rest in BUILD.all("COPY") for word in rest.split()[:-1]}
    assert given == copied


def composed() -> dict[str, Manifest]:
    services: dict[str, Manifest] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return services


@pytest.mark.parametrize("name", composed())
def test_each_part_of_the_composition_is_bounded(name: str) -> None:
    """It writes where it has to, may do nothing special, has a limit, and listens on this machine alone."""
    part = composed()[name]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert part["mem_limit"]
    assert all(port.startswith("127.0.0.1:") for port in part.get("ports", []))
    assert part["image"] == "personalize" or re.search(r":v?\d+\.\d+\.\d+", part["image"])
    for volume in part.get("volumes", []):
        source = volume.split(":")[0]
        assert not source.startswith(".") or (DEPLOY / source).exists(), source


def test_the_composition_is_one_that_works() -> None:
    """Its settings are accepted, its commands exist, and each part finds the others by their names and ports."""
    parts = composed()
    checked(parts["personalize"]["environment"])
    for name in ("personalize", "sandbox"):
        command = [word.split("=")[0] for word in parts[name]["command"]]
        said = invoked(command[0], "--help")
        assert all(option in said for option in command if option.startswith("--"))
    told = str(parts["personalize"]) + str(parts["sandbox"])
    assert {*re.findall(r"http://(\w+):\d+", told)} <= {*parts, "127"}
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert scraped["scrape_configs"][0]["static_configs"] == [{"targets": ["personalize:8000"]}]
    [source] = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


@pytest.mark.parametrize("name", composed())
def test_each_part_of_the_composition_says_whether_it_is_well(name: str) -> None:
    """By words and not a shell's line, at its own port; the service as its image does."""
    part = composed()[name]
    if name == "personalize":
        assert "healthcheck" not in part
        return
    check = part["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout"} <= {*check}
    asked = re.findall(r"http://127\.0\.0\.1:(\d+)/", str(check["test"]))
    assert asked == [port.split(":")[-1] for port in part.get("ports", [])]


def test_nothing_waits_for_what_is_never_well() -> None:
    """Whom another part waits for has a health check, and that of the sandbox agrees with a sandbox that runs."""
    parts = composed()
    waited = {name: told for part in parts.values() for name, told in part.get("depends_on", {}).items()}
    assert all(told == {"condition": "service_healthy"} for told in waited.values())
    assert all("healthcheck" in parts[name] for name in waited)
    _, python, *words = parts["sandbox"]["healthcheck"]["test"]
    with personalize("sandbox", "--port", "0") as run:
        [sandbox] = wait_for_urls(run, 1)
        check = [PYTHON, *(word.replace("http://127.0.0.1:8100", sandbox) for word in words)]
        assert (python, subprocess.run(check, check=False, timeout=30).returncode) == ("python", 0)
    assert subprocess.run(check, capture_output=True, check=False, timeout=30).returncode != 0


def checked(environment: dict[str, str]) -> None:
    """Let `check-config` read settings, which it has to accept."""
    invoked("check-config", **environment)


def invoked(*words: str, **environment: str) -> str:
    """Let this process do what the command does, with these settings and no others, and return what was said."""
    others = {name: None for name in os.environ if name.startswith(PREFIX)}
    run = CliRunner().invoke(cli.app, words, env={**others, **environment}, catch_exceptions=False)
    assert run.exit_code == 0, run.output
    return run.output


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    """Return what `kubectl kustomize` makes of the base or an overlay."""
    return kustomized(request.param)


def kustomized(name: str) -> list[Manifest]:
    """Return what `kubectl kustomize` makes of a folder of deploy/kubernetes; skip with a kubectl that is too old."""
    kubectl = real_part("kubectl")
    said = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, timeout=60, check=False)
    if "Kustomize Version" not in said.stdout:  # Debian's knows neither `labels` nor such patches
        if "REQUIRE_REAL_PARTS" in os.environ:
            pytest.fail("kubectl is too old")
        pytest.skip("kubectl is too old")
    command = [kubectl, "kustomize", str(DEPLOY / "kubernetes" / name)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def of(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [one for one in manifests if one["kind"] == kind]


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_the_manifests(manifests: list[Manifest], version: str) -> None:
    """Each fits its schema; the operator's kinds, which are not Kubernetes' own, are looked at below."""
    for manifest in manifests:
        if manifest["kind"] not in {"ServiceMonitor", "PrometheusRule"}:
            kubernetes_validate.validate(manifest, version, strict=True)
        assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "personalize"


def test_every_container_is_bounded(manifests: list[Manifest]) -> None:
    """Nobody's, without rights or a writable root, probed, with a limit of memory and no names from Kubernetes."""
    deployments = of(manifests, "Deployment")
    assert deployments
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["enableServiceLinks"] is False
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= {*container}
            assert re.search(r":v?\d+\.\d+\.\d+", container["image"])
            assert "memory" in container["resources"]["limits"]
            assert {"cpu", "memory"} <= {*container["resources"]["requests"]}
            own = container["securityContext"]
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)


def test_the_deployment_leaves_in_time_and_asks_no_dependency(manifests: list[Manifest]) -> None:
    """Its probes are the service's own routes, and its grace is longer than all that it does before it ends."""
    [deployment] = [one for one in of(manifests, "Deployment") if one["metadata"]["name"] == "personalize"]
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    asked = {kind: container[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= before + 20 + 10
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == IMAGE.user
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_what_is_named_is_there(manifests: list[Manifest]) -> None:
    """Selectors find the pods, ports have their names, and FLEET_SIZE is the most replicas that there may be."""
    labels = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in of(manifests, "Deployment")
    }
    ports = {
        port["name"]: port["containerPort"]
        for one in of(manifests, "Deployment")
        for container in one["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
    }
    selecting = [*of(manifests, "Service"), *of(manifests, "NetworkPolicy"), *of(manifests, "PodDisruptionBudget")]
    for one in selecting:
        spec = one["spec"]
        wanted = spec.get("podSelector") or spec["selector"]
        wanted = wanted.get("matchLabels", wanted)
        assert any(wanted.items() <= found.items() for found in labels.values()), one["metadata"]["name"]
    assert all(port["targetPort"] in ports for one in of(manifests, "Service") for port in one["spec"]["ports"])
    [scaler], [monitor], [settings] = (
        of(manifests, kind) for kind in ("HorizontalPodAutoscaler", "ServiceMonitor", "ConfigMap")
    )
    assert scaler["spec"]["scaleTargetRef"]["name"] in labels
    assert scaler["spec"]["maxReplicas"] == int(settings["data"]["PERSONALIZE_FLEET_SIZE"])
    assert ports["metrics"] == int(settings["data"]["PERSONALIZE_METRICS_PORT"])
    [service] = [one for one in of(manifests, "Service") if one["metadata"]["name"] == "personalize"]
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "personalize"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [one["port"] for one in monitor["spec"]["endpoints"]] == ["metrics"]


def test_the_operators_rules_are_those_that_are_shipped() -> None:
    """And the base has them: an alert is the same with the operator and without."""
    made = yaml.safe_load((DEPLOY / "kubernetes/base/rules.yaml").read_text(encoding="utf-8"))
    files = [DEPLOY / "prometheus" / name for name in ("rules.yml", "alerts.yml")]
    shipped = [yaml.safe_load(file.read_text(encoding="utf-8"))["groups"] for file in files]
    assert made["spec"]["groups"] == [group for groups in shipped for group in groups]
    assert made["kind"] == "PrometheusRule"
    base = yaml.safe_load((DEPLOY / "kubernetes/base/kustomization.yaml").read_text(encoding="utf-8"))
    assert "rules.yaml" in base["resources"]


def test_the_settings_are_settings_and_no_secrets(manifests: list[Manifest], tmp_path: Path) -> None:
    """`check-config` accepts them, with the files that the Secret is mounted as; nothing secret is in the open."""
    [settings] = of(manifests, "ConfigMap")
    data: dict[str, str] = settings["data"]
    for name, text in {**SECRET, "redis-url": "redis+sentinel://:fake@localhost:26379/cache/0"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    checked({name: value.replace("/run/secrets/personalize", str(tmp_path)) for name, value in data.items()})
    assert of(manifests, "Secret") == []
    in_the_open = {name.removeprefix(PREFIX) for name, value in data.items() if value} & SECRETS
    assert in_the_open <= {"REDIS_URL"}
    assert "@" not in data.get("PERSONALIZE_REDIS_URL", "")
    fields = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {name.removesuffix("_FILE") if name not in fields else name for name in data} <= fields


def test_the_eu_is_the_eu() -> None:
    """Its overlay reads the EU's Profile API, from nodes there."""
    manifests = kustomized("overlays/eu")
    assert of(manifests, "ConfigMap")[0]["data"]["PERSONALIZE_REGION"] == "eu"
    for deployment in of(manifests, "Deployment"):
        [place] = deployment["spec"]["template"]["spec"]["nodeSelector"].values()
        assert place.startswith("eu-")
