#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Values that the chart does not take, and what it says; manifests that the validator finds wrong."""
import copy
import glob
import os
import re
import unittest

import chart
import kubernetes_objects
import yaml


class Refusals(unittest.TestCase):
    """Each file of refused/ begins with the message that its values get."""

    def refused(self, name):
        expected = re.match(r"# refused: (.*)\n", chart.read(name)).group(1)
        with self.assertRaises(chart.Refused) as refusal:
            chart.render(name)
        self.assertIn(expected, str(refusal.exception))
        self.assertNotIn("nil pointer", str(refusal.exception))


for path in glob.glob(f"{chart.HERE}/refused/*.yaml"):
    test = "test_" + os.path.basename(path).removesuffix(".yaml")
    setattr(Refusals, test, lambda self, path=path: self.refused(path))


class Validator(unittest.TestCase):
    def setUp(self):
        self.good = chart.by_kind(chart.render_as("manifests"))["DaemonSet"]
        self.assertEqual(kubernetes_objects.problems(self.good), [])

    def found(self, change):
        bad = copy.deepcopy(self.good)
        change(bad, bad["spec"]["template"]["spec"]["containers"][0])
        return " ".join(kubernetes_objects.problems(bad))

    def test_it_finds_a_field_that_there_is_not(self):
        self.assertIn("containers[0].imagePullPolcy", self.found(
            lambda _, container: container.update(imagePullPolcy="Always")))

    def test_it_finds_a_field_that_is_missing(self):
        self.assertIn("`selector`", self.found(lambda whole, _: whole["spec"].pop("selector")))

    def test_it_finds_another_type(self):
        self.assertIn("another type", self.found(
            lambda _, container: container["livenessProbe"].update(periodSeconds="10")))

    def test_it_finds_a_kind_that_there_is_not(self):
        self.assertIn("no DaemonSets", self.found(lambda whole, _: whole.update(kind="DaemonSets")))

    def test_it_finds_names_that_lead_nowhere(self):
        self.assertIn("no port htp", self.found(
            lambda _, container: container["livenessProbe"]["httpGet"].update(port="htp")))
        self.assertIn("volume nothing", self.found(
            lambda _, container: container["volumeMounts"][0].update(name="nothing")))

    def test_it_finds_a_selector_that_selects_others(self):
        self.assertIn("does not select", self.found(
            lambda whole, _: whole["spec"]["selector"]["matchLabels"].update(a="b")))

    def test_it_finds_a_request_above_the_limit(self):
        self.assertIn("requests more memory", self.found(
            lambda _, container: container["resources"]["requests"].update(memory="1Gi")))

    def test_quantities_may_be_numbers(self):
        self.assertEqual("", self.found(
            lambda _, container: container["resources"]["requests"].update(cpu=1)))


class Merging(unittest.TestCase):
    def test_values_are_laid_over_the_defaults_by_key_and_null_takes_away(self):
        values = yaml.safe_load(chart.render_as(
            "values", f"{chart.HERE}/values/several_workers.yaml",
            f"{chart.HERE}/values/monitored.yaml"))
        self.assertNotIn("app", values["config"]["workers"])
        self.assertEqual(values["http"], {"enabled": True, "host": "", "port": 9999})


if __name__ == "__main__":
    unittest.main()
