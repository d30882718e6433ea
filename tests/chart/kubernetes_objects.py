# SPDX-License-Identifier: Apache-2.0
"""Kubernetes manifests against Kubernetes' own description of its objects, without a cluster: the
models that python3-kubernetes generates from the API's OpenAPI document, and what the API server
checks beside them of a pod."""
import re

import kubernetes.client

# Whose schema Kubernetes does not have: the Prometheus operator's, Helm's, kustomize's.
FOREIGN = {"PodMonitor", "Kustomization"}
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def model_of(document):
    """ "apps/v1", "DaemonSet" -> "V1DaemonSet"."""
    version = document["apiVersion"].rpartition("/")[2]
    return version.capitalize() + document["kind"]


def problems(document):
    """What Kubernetes would not take, one text each; none is good."""
    if document["kind"] in FOREIGN:
        return []
    client = kubernetes.client.ApiClient(kubernetes.client.Configuration())
    model = model_of(document)
    if not hasattr(kubernetes.client, model):
        return [f"there is no {document['kind']} in {document['apiVersion']}"]
    try:
        # Reads what the API server would have sent; required fields and types are its setters'.
        # pylint: disable=protected-access
        read = client._ApiClient__deserialize(document, model)
    except (ValueError, TypeError, AttributeError) as error:
        return [f"{document['kind']}: {error}"]
    back = client.sanitize_for_serialization(read)
    found = list(differences(document["kind"], document, back))
    pod = pod_template(document)
    return found + (list(pod_problems(document, pod)) if pod and not found else [])


def differences(place, written, understood):
    """A field that does not come back is unknown to the model; one that comes back as something
    else was written as another type."""
    if isinstance(written, dict) and isinstance(understood, dict):
        for key, value in written.items():
            if key not in understood:
                yield f"{place}.{key}: Kubernetes has no such field, or it is empty"
            else:
                yield from differences(f"{place}.{key}", value, understood[key])
    elif isinstance(written, list) and isinstance(understood, list):
        for index, (value, other) in enumerate(zip(written, understood, strict=True)):
            yield from differences(f"{place}[{index}]", value, other)
    elif type(written) is not type(understood) or written != understood:
        # A quantity may be a number.
        if not (re.search(r"\.(requests|limits)\.[\w.-]+$", place) and str(written) == understood):
            yield f"{place}: {written!r} has another type than Kubernetes' {understood!r}"


def pod_template(document):
    if document["kind"] == "Pod":
        return document
    return document.get("spec", {}).get("template") if document["kind"] != "ConfigMap" else None


def pod_problems(document, pod):
    spec = pod["spec"]
    labels = pod["metadata"].get("labels", {})
    wanted = document["spec"].get("selector", {}).get("matchLabels", {})
    if not wanted.items() <= labels.items():
        yield f"the selector {wanted} does not select the template's labels {labels}"
    containers = spec["containers"] + spec.get("initContainers", [])
    volumes = [volume["name"] for volume in spec.get("volumes", [])]
    yield from repeated("container", [container["name"] for container in containers])
    yield from repeated("volume", volumes)
    for container in containers:
        yield from container_problems(container, volumes, spec.get("hostNetwork", False))


def repeated(what, names):
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{what} {name} is there twice"
    for name in names:
        if not NAME.fullmatch(name):
            yield f"{what} {name}: not a name"


def container_problems(container, volumes, host_network):
    name = container["name"]
    mounts = container.get("volumeMounts", [])
    yield from (f"{name}: mounts the volume {mount['name']}, which there is not"
                for mount in mounts if mount["name"] not in volumes)
    places = [mount["mountPath"] for mount in mounts]
    yield from (f"{name}: two volumes at {place}"
                for place in sorted(set(places)) if places.count(place) > 1)
    ports = container.get("ports", [])
    for port in ports:
        if host_network and port.get("hostPort", port["containerPort"]) != port["containerPort"]:
            yield f"{name}: on the host's network a hostPort is the containerPort"
    named = {port.get("name") for port in ports}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        yield from probe_problems(f"{name}.{probe}", container.get(probe, {}), named)
    yield from resource_problems(name, container.get("resources", {}))
    rights = container.get("securityContext", {})
    if rights.get("privileged") and rights.get("allowPrivilegeEscalation") is False:
        yield f"{name}: privileged, and may not gain privileges"


def probe_problems(place, probe, ports):
    if not probe:
        return
    ways = [way for way in ("exec", "httpGet", "tcpSocket", "grpc") if way in probe]
    if len(ways) != 1:
        yield f"{place}: has {len(ways)} ways to ask, {', '.join(ways)}; one is allowed"
    port = probe.get("httpGet", {}).get("port", 1)
    if isinstance(port, str) and port not in ports:
        yield f"{place}: there is no port {port}"


def resource_problems(name, resources):
    for what, limit in resources.get("limits", {}).items():
        request = resources.get("requests", {}).get(what, limit)
        if quantity(request) > quantity(limit):
            yield f"{name}: requests more {what} than its limit"


def quantity(text):
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10,
                            "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}[unit]
