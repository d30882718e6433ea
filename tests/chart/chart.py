# SPDX-License-Identifier: Apache-2.0
"""The chart as helm would render it, and everything that must hold of any rendering."""
import json
import os
import shutil
import subprocess

import jsonschema
import kubernetes_objects
import perch_says
import yaml

CHART = f"{perch_says.SOURCES}/packaging/chart"
HERE = f"{perch_says.SOURCES}/tests/chart"
RENDERER = os.environ.get("PERCH_CHART_RENDERER", "")


class Refused(Exception):
    """The chart does not take these values."""


def read(name):
    with open(name, encoding="utf-8") as file:
        return file.read()


def render_as(show, *value_files):
    perch_says.need(RENDERER, "no Go compiler, or not the sources of sprig and sigs.k8s.io/yaml")
    files = [argument for name in value_files for argument in ("-f", name)]
    run = subprocess.run([RENDERER, "-show", show, *files, CHART], capture_output=True, text=True,
                         timeout=60, check=False)
    if run.returncode != 0:
        raise Refused(run.stderr.strip())
    return run.stdout


def by_kind(manifests):
    documents = [document for document in yaml.safe_load_all(manifests) if document]
    return {document["kind"]: document for document in documents}


def check_schema(values):
    schema = json.loads(read(f"{CHART}/values.schema.json"))
    errors = [f"{error.json_path}: {error.message}"
              for error in jsonschema.Draft7Validator(schema).iter_errors(values)]
    if errors:
        raise Refused("\n".join(errors))


def render(*value_files):
    """{kind: document}, each found good by Kubernetes' models, and perch.toml by perch."""
    check_schema(yaml.safe_load(render_as("values", *value_files)))
    documents = by_kind(render_as("manifests", *value_files))
    for document in documents.values():
        assert not (found := kubernetes_objects.problems(document)), "\n".join(found)
    config = documents["ConfigMap"]["data"]["perch.toml"]
    checked = perch_says.check(config)
    assert checked.returncode == 0, f"{config}\n{checked.stderr}"
    if shutil.which("helm"):  # not in Debian; where it is, it must say the same
        files = [argument for name in value_files for argument in ("-f", name)]
        said = subprocess.run(["helm", "template", "try", CHART, *files], capture_output=True,
                              text=True, timeout=60, check=True, env=os.environ | {"HOME": "/tmp"})
        assert by_kind(said.stdout) == documents
    return documents
