#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the chart makes of its default values and of the others in values/."""
import glob
import json
import os
import re
import tempfile
import tomllib
import unittest

import chart
import perch_says
import yaml


class Pod:
    """What a rendering says of the pod, by name."""

    def __init__(self, *names):
        self.documents = chart.render(*(f"{chart.HERE}/values/{name}.yaml" for name in names))
        self.daemon_set = self.documents["DaemonSet"]["spec"]
        self.spec = self.daemon_set["template"]["spec"]
        self.containers = {container["name"]: container
                           for container in self.spec["containers"] + self.spec["initContainers"]}
        self.daemon = self.containers["daemon"]
        self.rights = self.daemon["securityContext"]
        self.volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        self.mounts = {mount["mountPath"]: mount for mount in self.daemon["volumeMounts"]}
        self.perch_toml = tomllib.loads(self.documents["ConfigMap"]["data"]["perch.toml"])

    def probe(self, name):
        return self.daemon[f"{name}Probe"]

    def capabilities(self):
        assert self.rights["capabilities"]["drop"] == ["ALL"]
        return set(self.rights["capabilities"]["add"])


class Values(unittest.TestCase):
    def test_the_default_runs_any_images_daemon_under_perch_and_outlives_oom_kills(self):
        pod = Pod()
        init = pod.containers["install-perch"]
        self.assertEqual(init["command"], ["/perch", "install", "/perch/perch"])
        self.assertEqual(init["volumeMounts"][0]["name"], pod.mounts["/perch"]["name"])
        self.assertEqual(pod.daemon["command"],
                         ["/perch/perch", "run", "-c", "/etc/perch/perch.toml"])
        self.assertNotEqual(pod.daemon["image"], init["image"])
        self.assertEqual(pod.rights["runAsUser"], 0)
        self.assertEqual(pod.capabilities(), {"SYS_RESOURCE"})
        self.assertTrue(pod.rights["readOnlyRootFilesystem"])
        self.assertFalse(pod.rights["allowPrivilegeEscalation"])
        self.assertEqual(pod.rights["seccompProfile"], {"type": "RuntimeDefault"})

    def test_by_default_the_probes_ask_perch_over_http_and_never_the_daemon_whether_to_kill(self):
        pod = Pod()
        for name, path in ("liveness", "/livez"), ("readiness", "/readyz"):
            self.assertEqual(pod.probe(name)["httpGet"], {"path": path, "port": "http"})
        self.assertEqual(pod.perch_toml["perch"]["http"],
                         f":{pod.daemon['ports'][0]['containerPort']}")

    def test_by_default_the_sockets_are_on_the_node_and_no_two_pods_want_them(self):
        pod = Pod()
        self.assertEqual(pod.volumes["sockets"]["hostPath"],
                         {"path": "/run/try-perch", "type": "DirectoryOrCreate"})
        path = pod.perch_toml["listeners"]["app"]["path"]
        self.assertEqual(pod.mounts[os.path.dirname(path)]["name"], "sockets")
        self.assertEqual(pod.daemon_set["updateStrategy"]["rollingUpdate"]["maxSurge"], 0)
        self.assertNotIn("lifecycle", pod.daemon)

    def test_the_configuration_is_mounted_so_that_a_change_is_seen_and_reloaded(self):
        pod = Pod()
        mount = pod.mounts["/etc/perch"]
        self.assertNotIn("subPath", mount)
        self.assertEqual(pod.volumes[mount["name"]]["configMap"]["name"],
                         pod.documents["ConfigMap"]["metadata"]["name"])
        self.assertIs(pod.perch_toml["perch"]["reload_on_change"], True)

    def test_perch_has_the_time_to_stop_its_worker(self):
        for names, expected in ((), 30), (("several_workers",), 95):
            self.assertEqual(Pod(*names).spec["terminationGracePeriodSeconds"], expected)

    def test_every_container_has_a_memory_request_that_is_its_limit(self):
        for container in Pod("keeper").containers.values():
            resources = container["resources"]
            self.assertEqual(resources["requests"]["memory"], resources["limits"]["memory"])

    def test_a_keeper_is_a_container_of_its_own_and_shares_a_directory_with_perch(self):
        pod = Pod("keeper")
        keeper = pod.containers["keeper"]
        self.assertEqual(keeper["command"], ["/perch", "keep", "--socket", "/run/perch/keep.sock"])
        self.assertEqual(pod.perch_toml["perch"]["keeper"], keeper["command"][-1])
        shared = keeper["volumeMounts"][0]
        self.assertEqual(pod.mounts[shared["mountPath"]]["name"], shared["name"])
        self.assertIn("emptyDir", pod.volumes[shared["name"]])
        self.assertEqual(keeper["securityContext"]["runAsUser"], pod.rights["runAsUser"])
        self.assertEqual(pod.capabilities(), set())

    def test_exec_probes_need_no_port(self):
        pod = Pod("exec_probes")
        self.assertEqual(pod.probe("liveness")["exec"]["command"], ["/perch/perch", "status"])
        self.assertEqual(pod.probe("readiness")["exec"]["command"], ["/perch/perch", "ready"])
        self.assertEqual(os.path.dirname(pod.perch_toml["perch"]["control"]), "/run/perch")
        self.assertIn("/run/perch", pod.mounts)
        self.assertNotIn("ports", pod.daemon)
        self.assertNotIn("http", pod.perch_toml["perch"])

    def test_a_socket_for_the_pod_alone_may_surge_and_needs_no_root(self):
        pod = Pod("pod_only")
        self.assertEqual(pod.volumes["sockets"], {"name": "sockets", "emptyDir": {}})
        self.assertEqual(pod.daemon_set["updateStrategy"]["rollingUpdate"]["maxSurge"], 1)
        self.assertEqual(pod.rights["runAsUser"], 1000650000)
        self.assertEqual(pod.capabilities(), set())
        self.assertEqual(len([name for name in pod.volumes if name.startswith("writable")]), 2)

    def test_perch_has_the_capabilities_that_other_users_and_a_workers_own_ask_for(self):
        self.assertEqual(Pod("other_users").capabilities(),
                         {"SYS_RESOURCE", "SETUID", "SETGID", "KILL", "CHOWN", "FOWNER",
                          "DAC_OVERRIDE", "NET_BIND_SERVICE"})

    def test_prometheus_finds_the_port(self):
        pod = Pod("monitored")
        monitor = pod.documents["PodMonitor"]
        endpoint = monitor["spec"]["podMetricsEndpoints"][0]
        self.assertEqual(endpoint["port"], pod.daemon["ports"][0]["name"])
        self.assertEqual(monitor["metadata"]["labels"]["release"], "prometheus")
        self.assertEqual(monitor["spec"]["selector"], pod.daemon_set["selector"])
        annotations = pod.daemon_set["template"]["metadata"]["annotations"]
        self.assertEqual(annotations["prometheus.io/port"], "9999")
        self.assertEqual(pod.perch_toml["perch"]["http"], ":9999")

    def test_on_the_hosts_network_the_port_is_the_nodes_alone(self):
        pod = Pod("on_the_host")
        self.assertEqual(pod.perch_toml["perch"]["http"], "127.0.0.1:9480")
        self.assertEqual(pod.probe("liveness")["httpGet"]["host"], "127.0.0.1")
        self.assertTrue(pod.spec["hostNetwork"] and pod.spec["hostPID"])
        self.assertTrue(pod.rights["privileged"])
        self.assertNotIn("allowPrivilegeEscalation", pod.rights)
        self.assertEqual(pod.volumes["sockets"]["hostPath"]["path"],
                         "/var/lib/kubelet/plugins/csi.example.org")
        self.assertEqual(pod.mounts["/var/lib/kubelet/pods"]["mountPropagation"], "Bidirectional")

    def test_other_workers_take_the_place_of_the_defaults(self):
        pod = Pod("several_workers")
        self.assertEqual(set(pod.perch_toml["listeners"]), {"web", "admin"})
        self.assertEqual(set(pod.perch_toml["workers"]), {"web", "admin.v2"})
        self.assertEqual(pod.perch_toml["workers"]["web"]["environment"]["GREETING"],
                         'a "quoted" <word>\n')
        self.assertEqual(pod.perch_toml["workers"]["web"]["restart"]["burst"], 5)

    def test_every_set_of_values_is_asked_for(self):
        asked = set(re.findall(r'Pod\("(\w+)"|\("(\w+)",\)', chart.read(__file__)))
        there = {os.path.basename(name).removesuffix(".yaml")
                 for name in glob.glob(f"{chart.HERE}/values/*.yaml")}
        self.assertEqual({first or second for first, second in asked}, there)
        self.assertGreaterEqual(len(there), 6)


class Texts(unittest.TestCase):
    def test_the_notes_say_where_the_socket_is_and_how_to_look(self):
        notes = chart.render_as("notes")
        self.assertIn("/run/try-perch/app.sock on the node", notes)
        self.assertIn("exec ds/try-perch -c daemon -- /perch/perch status", notes)
        self.assertNotIn("WARNING", notes)

    def test_the_notes_warn_of_what_may_take_perch(self):
        notes = chart.render_as("notes", f"{chart.HERE}/values/pod_only.yaml")
        self.assertIn("WARNING: the memory request (64Mi) is not the limit (128Mi)", notes)
        self.assertIn("WARNING: perch has neither CAP_SYS_RESOURCE nor a keeper", notes)
        self.assertNotIn("allowed to write", notes)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("oomProtection: {sysResource: false}\nsecurityContext: {runAsUser: 65534}\n")
            file.flush()
            self.assertIn("WARNING: perch is user 65534, who must be allowed to write to /run/try",
                          chart.render_as("notes", file.name))

    def test_the_chart_is_of_the_perch_beside_it(self):
        version = re.search(r"version: '(.*)'", chart.read(f"{perch_says.SOURCES}/meson.build"))
        metadata = yaml.safe_load(chart.read(f"{chart.CHART}/Chart.yaml"))
        self.assertEqual(str(metadata["appVersion"]), version.group(1))

    def test_the_schema_has_every_key_of_perch_toml_and_no_other(self):
        # What has every key; a test beside its own holds it to the binary.
        every = tomllib.loads(chart.read(f"{perch_says.SOURCES}/packaging/examples/complete.toml"))
        schema = json.loads(chart.read(f"{chart.CHART}/values.schema.json"))
        known = schema["properties"]["config"]["properties"]
        own = {"control", "http", "keeper", "reload_on_change"}
        self.assertEqual(set(known["perch"]["properties"]), set(every["perch"]) - own)
        definitions = schema["definitions"]
        self.assertEqual(set(definitions["listener"]["properties"]), set(every["listeners"]["api"]))
        worker = definitions["worker"]["properties"]
        self.assertEqual(set(worker), set(every["workers"]["app"]))
        for name, table in every["workers"]["app"].items():
            if isinstance(table, dict) and "properties" in worker[name]:
                self.assertLessEqual(set(table), set(worker[name]["properties"]))


if __name__ == "__main__":
    unittest.main()
