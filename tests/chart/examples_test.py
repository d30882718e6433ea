#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The examples for Kubernetes: what kubectl makes of each is taken by Kubernetes and by perch, keeps
the rules that the page beside them gives, and runs."""
import functools
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import unittest

import chart
import kubernetes_objects
import perch_says
import yaml

EXAMPLES = f"{perch_says.SOURCES}/packaging/kubernetes"
CLIENTS = f"{chart.HERE}/dragonfly_client.yaml"
POST_RENDER = f"{EXAMPLES}/dragonfly/post-render"


def documents_of(*command, **options):
    perch_says.need(shutil.which("kubectl"), "no kubectl")
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True,
                          **options)
    return [document for document in yaml.safe_load_all(made.stdout) if document]


def post_rendered(manifests):
    return documents_of(POST_RENDER, input=manifests)


@functools.cache
class Example:
    """One pod that perch runs in, and its configuration."""

    def __init__(self, name):
        self.documents = (post_rendered(chart.read(CLIENTS)) if name == "dragonfly"
                          else documents_of("kubectl", "kustomize", f"{EXAMPLES}/{name}"))
        self.workload = next(document for document in self.documents
                             if document["kind"] in ("DaemonSet", "Deployment"))
        self.spec = self.workload["spec"]["template"]["spec"]
        self.container = next(container for container in self.spec["containers"]
                              if "run" in container.get("command", []))
        self.rights = self.spec.get("securityContext", {}) | self.container["securityContext"]
        self.volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        self.mounts = {mount["mountPath"]: mount for mount in self.container["volumeMounts"]}
        command = self.container["command"] + self.container.get("args", [])
        self.perch = command[0]
        self.config_place, _, self.config_file = command[command.index("-c") + 1].rpartition("/")
        self.worker_command = command[command.index("--"):] if "--" in command else []
        name = self.volume_at(self.config_place)["configMap"]["name"]
        self.config_files = next(document["data"] for document in self.documents
                                 if document["kind"] == "ConfigMap"
                                 and document["metadata"]["name"] == name)

    def volume_at(self, place):
        return self.volumes[self.mounts[place]["name"]]

    def config(self):
        """What perch runs, with every default."""
        checked = perch_says.check(self.config_files[self.config_file],
                                   *self.worker_command)
        assert checked.returncode == 0, checked.stderr
        return tomllib.loads(checked.stdout)


def seconds(duration):
    return int(duration.rstrip("ms")) * (60 if duration.endswith("m") else 1)


class Rules:
    """What holds of every example; NAME is its directory."""

    NAME = ""

    def setUp(self):
        self.example = Example(self.NAME)

    def test_kubernetes_takes_it(self):
        for document in self.example.documents:
            self.assertEqual(kubernetes_objects.problems(document), [])

    def test_an_init_container_brings_perch_to_where_the_container_runs_it(self):
        init = next(container for container in self.example.spec["initContainers"]
                    if "install" in container["command"])
        self.assertEqual(init["command"][-1], self.example.perch)
        place = os.path.dirname(self.example.perch)
        self.assertEqual([mount["name"] for mount in init["volumeMounts"]],
                         [self.example.mounts[place]["name"]])

    def test_a_change_of_the_configuration_is_seen_and_reloaded(self):
        self.assertIs(self.example.config()["perch"]["reload_on_change"], True)
        self.assertNotIn("subPath", self.example.mounts[self.example.config_place])

    def test_every_socket_lies_in_a_directory_that_others_mount(self):
        for listener in self.example.config()["listeners"].values():
            volume = self.example.volume_at(os.path.dirname(listener["path"]))
            if "hostPath" in volume:
                strategy = self.example.workload["spec"]["updateStrategy"]["rollingUpdate"]
                self.assertEqual(strategy["maxSurge"], 0)
            else:
                self.assertIn("emptyDir", volume)

    def test_the_probes_ask_perch(self):
        host, _, port = self.example.config()["perch"]["http"].rpartition(":")
        for probe, path in ("livenessProbe", "/livez"), ("readinessProbe", "/readyz"):
            asked = self.example.container[probe]["httpGet"]
            self.assertEqual(asked["path"], path)
            self.assertEqual(asked.get("host", ""), host)
            named = {port.get("name"): port["containerPort"]
                     for port in self.example.container["ports"]}
            self.assertEqual(named.get(asked["port"], asked["port"]), int(port))

    def test_perch_or_a_keeper_outlives_an_oom_kill(self):
        rights = self.example.rights
        if self.example.config()["perch"].get("keeper"):
            return
        self.assertTrue(rights.get("privileged") or
                        "SYS_RESOURCE" in rights["capabilities"]["add"])
        self.assertEqual(rights.get("runAsUser", 0), 0)

    def test_perch_has_the_capabilities_that_its_worker_wants(self):
        held = set(self.example.rights.get("capabilities", {}).get("add", []))
        for worker in self.example.config()["workers"].values():
            wanted = {name.upper().removeprefix("CAP_") for name in worker["capabilities"]}
            if worker["user"]:  # perch changes user for it, and signals it
                wanted |= {"SETUID", "SETGID", "KILL"}
            if not self.example.rights.get("privileged"):
                self.assertLessEqual(wanted - {"ALL"}, held)

    def test_there_is_time_to_stop_and_nothing_removes_the_socket(self):
        grace = self.example.spec.get("terminationGracePeriodSeconds", 30)
        for worker in self.example.config()["workers"].values():
            self.assertGreater(grace, seconds(worker["stop_timeout"]))
        for container in self.example.spec["containers"]:
            self.assertNotIn("lifecycle", container)

    def test_every_container_requests_the_memory_that_it_may_use(self):
        for container in self.example.spec["containers"] + self.example.spec["initContainers"]:
            resources = container["resources"]
            self.assertEqual(resources["requests"]["memory"], resources["limits"]["memory"])


class Runs:
    """The configuration as it is runs here, at other places."""

    def answer(self, client):
        with tempfile.TemporaryDirectory(prefix="ex") as place:
            os.chmod(place, 0o755)
            for name, text in self.example.config_files.items():
                with open(f"{place}/{name}", "w", encoding="utf-8") as file:
                    file.write(self.moved(text, place))
            with perch_says.running_config(chart.read(f"{place}/perch.toml")):
                said = subprocess.run(client(f"{place}/{self.SOCKET}"), capture_output=True,
                                      text=True, timeout=20, check=True).stdout
                # What answered is perch's listener: the file is the one whose second name it keeps.
                self.assertTrue(os.path.samefile(f"{place}/{self.SOCKET}",
                                                 f"{place}/.{self.SOCKET}.perch"))
                return said

    @staticmethod
    def moved(text, place):
        text = re.sub("/run/web|/run/redis|/etc/perch|/tmp", place, text)
        return re.sub("^(http|keeper) = .*", "", text, flags=re.MULTILINE)


class Nginx(Rules, Runs, unittest.TestCase):
    NAME, SOCKET = "nginx", "web.sock"

    def test_it_serves(self):
        perch_says.need(shutil.which("nginx"), "no nginx")
        self.assertIn("nginx", self.answer(
            lambda socket: ["curl", "-s", "--unix-socket", socket, "http://nginx/"]))

    def test_nginx_listens_where_perch_does(self):
        path = self.example.config()["listeners"]["web"]["path"]
        self.assertIn(f"listen unix:{path};", chart.read(f"{EXAMPLES}/nginx/nginx.conf"))


class Gunicorn(Rules, Runs, unittest.TestCase):
    NAME, SOCKET = "gunicorn", "web.sock"

    def test_it_serves(self):
        perch_says.need(shutil.which("gunicorn"), "no gunicorn")
        self.assertEqual("hello\n", self.answer(
            lambda socket: ["curl", "-s", "--unix-socket", socket, "http://web/"]))

    def test_the_front_sees_the_socket_and_has_no_right_beside_it(self):
        front = next(container for container in self.example.spec["containers"]
                     if container["name"] == "front")
        mount = front["volumeMounts"][0]
        self.assertEqual(mount["name"], self.example.mounts["/run/web"]["name"])
        self.assertIs(mount["readOnly"], True)

    def test_the_level_restricted_of_pod_security_takes_it(self):
        self.assertIs(self.example.spec["securityContext"]["runAsNonRoot"], True)
        for container in self.example.spec["containers"] + self.example.spec["initContainers"]:
            rights = container["securityContext"]
            self.assertIs(rights["allowPrivilegeEscalation"], False)
            self.assertEqual(rights["capabilities"], {"drop": ["ALL"]})
            self.assertEqual(rights["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertFalse([volume for volume in self.example.volumes.values()
                          if "hostPath" in volume])

    def test_the_keeper_is_where_perch_looks_for_it(self):
        keeper = next(container for container in self.example.spec["containers"]
                      if "keep" in container.get("command", []))
        path = keeper["command"][-1]
        self.assertEqual(self.example.config()["perch"]["keeper"], path)
        mount = keeper["volumeMounts"][0]
        self.assertEqual(mount["mountPath"], os.path.dirname(path))
        self.assertEqual(mount["name"], self.example.mounts[mount["mountPath"]]["name"])


class Redis(Rules, Runs, unittest.TestCase):
    NAME, SOCKET = "redis", "redis.sock"

    def test_it_serves(self):
        perch_says.need(shutil.which("redis-server"), "no redis")
        self.assertEqual("PONG\n", self.answer(
            lambda socket: ["redis-cli", "-s", socket, "PING"]))


class Csi(Rules, unittest.TestCase):
    NAME = "csi"

    def test_the_kubelet_is_told_where_the_socket_is_on_the_node(self):
        path = self.example.config()["listeners"]["csi"]["path"]
        plugin = self.example.volume_at(os.path.dirname(path))["hostPath"]["path"]
        registrar = next(container for container in self.example.spec["containers"]
                         if container["name"] == "registrar")
        self.assertIn(f"--kubelet-registration-path={plugin}/{os.path.basename(path)}",
                      registrar["args"])
        self.assertIn(f"--csi-address={path}", registrar["args"])

    def test_the_driver_is_told_to_bind_where_perch_listens(self):
        path = self.example.config()["listeners"]["csi"]["path"]
        self.assertIn(f"--endpoint=unix://{path}", self.example.worker_command)


class Dragonfly(Rules, unittest.TestCase):
    NAME = "dragonfly"

    def setUp(self):
        super().setUp()
        self.before = list(yaml.safe_load_all(chart.read(CLIENTS)))

    def test_every_container_requests_the_memory_that_it_may_use(self):
        """That is up to the values of Dragonfly's chart."""

    def test_the_pod_stays_on_the_node_with_its_socket_and_its_arguments(self):
        before = self.before[1]["spec"]["template"]["spec"]
        for field in "hostNetwork", "hostPID", "hostIPC", "dnsPolicy":
            self.assertEqual(self.example.spec[field], before[field])
        for volume in before["volumes"]:
            self.assertIn(volume, self.example.spec["volumes"])
        client = before["containers"][0]
        for field in "args", "env", "image", "ports", "resources":
            self.assertEqual(self.example.container[field], client[field])
        self.assertEqual(self.example.worker_command[2:], client["args"])
        self.assertIn(self.before[0], self.example.documents)

    def test_a_probe_of_the_daemon_gives_way_to_one_of_perch(self):
        for probe in "livenessProbe", "readinessProbe":
            self.assertNotIn("exec", self.example.container[probe])

    def test_any_release_will_do_in_any_namespace(self):
        for name, namespace in ("my-dragonfly-client", ""), ("d-client", "  namespace: d\n"):
            manifests = chart.read(CLIENTS).replace("  namespace: dragonfly-system\n", namespace)
            made = post_rendered(manifests.replace("name: dragonfly-client", f"name: {name}"))
            patched = next(document for document in made if document["kind"] == "DaemonSet")
            self.assertEqual(patched["metadata"]["name"], name)
            self.assertEqual(patched["spec"]["template"]["spec"]["containers"][0]["command"],
                             self.example.container["command"])

    def test_what_has_no_clients_is_refused(self):
        said = subprocess.run([POST_RENDER], input="kind: Service\n", capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(said.returncode, 1)
        self.assertIn("there is no DaemonSet to put under perch", said.stderr)

    def test_helm_4_finds_the_program(self):
        plugin = yaml.safe_load(chart.read(f"{EXAMPLES}/dragonfly/plugin.yaml"))
        command = plugin["runtimeConfig"]["platformCommand"][0]["command"]
        self.assertTrue(os.access(command.replace("${HELM_PLUGIN_DIR}", f"{EXAMPLES}/dragonfly"),
                                  os.X_OK))


class Page(unittest.TestCase):
    """The README beside the examples."""

    PAGE = chart.read(f"{EXAMPLES}/README.md")

    def test_it_names_every_example(self):
        there = {name for name in os.listdir(EXAMPLES) if os.path.isdir(f"{EXAMPLES}/{name}")}
        self.assertEqual(set(re.findall(r"^\| \[(\w+)\]\(\1\)", self.PAGE, re.MULTILINE)), there)

    def test_it_knows_the_tiers_that_perch_has(self):
        head = "| tier | what holds |"
        readme = chart.read(f"{perch_says.SOURCES}/README.md")
        self.assertLessEqual(set(self.tiers(readme[readme.index(head):])),
                             set(self.tiers(self.PAGE[self.PAGE.index(head):])))

    @staticmethod
    def tiers(table):
        return re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE)

    def test_its_links_lead_somewhere(self):
        for link in re.findall(r"\]\(([^)]+)\)", self.PAGE):
            self.assertTrue(os.path.exists(f"{EXAMPLES}/{link}"), link)


class Directory(unittest.TestCase):
    def test_every_example_is_tested(self):
        there = {name for name in os.listdir(EXAMPLES) if os.path.isdir(f"{EXAMPLES}/{name}")}
        self.assertEqual(there, {kind.NAME for kind in Rules.__subclasses__()})


if __name__ == "__main__":
    unittest.main()
