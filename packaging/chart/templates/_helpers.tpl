{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "perch.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "perch.fullname" -}}
{{- $name := include "perch.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{ default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "perch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "perch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "perch.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "perch.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "perch.perchImage" -}}
{{ required "perch.image.repository: say which image perch is copied from" .Values.perch.image.repository }}:
{{- default .Chart.AppVersion .Values.perch.image.tag }}
{{- end }}

{{- define "perch.daemonImage" -}}
{{ required "image.repository: say which image the daemon is in" .Values.image.repository }}
{{- with .Values.image.tag }}:{{ . }}{{ end }}
{{- end }}

{{- define "perch.hostPath" -}}
{{ default (printf "/run/%s" (include "perch.fullname" .)) .Values.socketDirectory.hostPath }}
{{- end }}

{{- /* A table of perch.toml: what JSON writes of a string, number, truth or list, TOML reads. */ -}}
{{- define "perch.table" -}}
{{- range $key, $value := .table }}
{{- if not (kindIs "map" $value) }}
{{ include "perch.key" $key }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $path := printf "%s.%s" $.path (include "perch.key" $key) | trimPrefix "." }}
{{- if or (ne $.path "") (eq $key "perch") }}

[{{ $path }}]
{{- end }}
{{- include "perch.table" (dict "path" $path "table" $value) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "perch.key" -}}
{{ ternary . (toJson .) (regexMatch "^[A-Za-z0-9_-]+$" .) }}
{{- end }}

{{- define "perch.toml" -}}
{{- $own := dict "reload_on_change" true "control" "/run/perch/control.sock" }}
{{- if .Values.http.enabled }}
{{- $_ := set $own "http" (printf "%s:%v" .Values.http.host .Values.http.port) }}
{{- end }}
{{- if .Values.keeper.enabled }}
{{- $_ := set $own "keeper" "/run/perch/keep.sock" }}
{{- end }}
{{- $config := merge (dict "perch" $own) (deepCopy .Values.config) }}
{{- include "perch.table" (dict "path" "" "table" $config) | trim }}
{{ end }}

{{- /* What perch needs to do what config tells it. The name of each is Kubernetes', without CAP_. */ -}}
{{- define "perch.capabilities" -}}
{{- $names := list }}
{{- if .Values.oomProtection.sysResource }}
{{- $names = append $names "SYS_RESOURCE" }}
{{- end }}
{{- range .Values.config.workers }}
{{- if or .user .group }}
{{- $names = concat $names (list "SETUID" "SETGID" "KILL") }}
{{- end }}
{{- range .capabilities }}
{{- if ne . "all" }}
{{- $names = append $names (upper . | trimPrefix "CAP_") }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.config.listeners }}
{{- if or .user .group }}
{{- $names = concat $names (list "CHOWN" "FOWNER" "DAC_OVERRIDE") }}
{{- end }}
{{- end }}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{- /* Whom perch runs as, where that can be known: else it is the image's user. */ -}}
{{- define "perch.user" -}}
{{- $pod := dig "runAsUser" "" .Values.podSecurityContext }}
{{- $user := ternary 0 (dig "runAsUser" $pod .Values.securityContext) .Values.oomProtection.sysResource }}
{{- if ne (toString $user) "" }}{{ int64 $user }}{{ end }}
{{- end }}

{{- define "perch.securityContext" -}}
{{- $own := dict "readOnlyRootFilesystem" true "seccompProfile" (dict "type" "RuntimeDefault")
      "capabilities" (dict "drop" (list "ALL") "add" (include "perch.capabilities" . | fromJsonArray)) }}
{{- with include "perch.user" . }}
{{- $_ := set $own "runAsUser" (int64 .) }}
{{- end }}
{{- /* Kubernetes refuses it for a container that has all privileges. */ -}}
{{- if not (or .Values.securityContext.privileged (has "SYS_ADMIN" $own.capabilities.add)) }}
{{- $_ := set $own "allowPrivilegeEscalation" false }}
{{- end }}
{{- mergeOverwrite $own (deepCopy .Values.securityContext) | toYaml }}
{{- end }}

{{- /* For containers that are perch alone, keeper and init container: no rights at all. */ -}}
{{- define "perch.leastRights" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "perch.probe" -}}
{{- if eq .root.Values.probes.by "exec" -}}
exec:
  command: [/perch/perch, {{ .command }}]
{{- else -}}
httpGet:
  {{- with .root.Values.http.host }}
  host: {{ . | quote }}
  {{- end }}
  path: {{ .path }}
  port: http
{{- end }}
{{ toYaml .times }}
{{- end }}

{{- define "perch.wholeSeconds" -}}
{{- $number := regexFind "^[0-9]+" . | int }}
{{- if hasSuffix "ms" . }}{{ div (add $number 999) 1000 }}
{{- else if hasSuffix "m" . }}{{ mul $number 60 }}
{{- else if hasSuffix "h" . }}{{ mul $number 3600 }}
{{- else }}{{ $number }}
{{- end }}
{{- end }}

{{- define "perch.longestStop" -}}
{{- $longest := 0 }}
{{- range .Values.config.workers }}
{{- $longest = include "perch.wholeSeconds" (default "25s" .stop_timeout) | int | max $longest }}
{{- end }}
{{- $longest }}
{{- end }}

{{- define "perch.gracePeriod" -}}
{{- default (include "perch.longestStop" . | add 5) (int .Values.terminationGracePeriodSeconds) }}
{{- end }}

{{- /* What no schema can check: values that do not go together. */ -}}
{{- define "perch.check" -}}
{{- $mount := .Values.socketDirectory.mountPath }}
{{- range $name, $listener := .Values.config.listeners }}
{{- $path := required (printf "config.listeners.%s.path: say where the socket lies" $name) $listener.path }}
{{- if not (or (hasPrefix "@" $path) (eq (dir $path) $mount)) }}
{{- fail (printf "config.listeners.%s.path: %s is not directly in socketDirectory.mountPath, which is %s" $name $path $mount) }}
{{- end }}
{{- end }}
{{- range $name, $worker := .Values.config.workers }}
{{- if not $worker.command }}
{{- fail (printf "config.workers.%s.command: say which program runs, and its arguments" $name) }}
{{- end }}
{{- end }}
{{- if and (eq .Values.probes.by "http") (not .Values.http.enabled) }}
{{- fail "probes.by is http, and http.enabled is false: enable it, or set probes.by to exec" }}
{{- end }}
{{- if and (not .Values.http.enabled) (or .Values.metrics.annotations .Values.metrics.podMonitor.enabled) }}
{{- fail "metrics are served over HTTP, and http.enabled is false: enable it" }}
{{- end }}
{{- if and .Values.http.host (not .Values.hostNetwork) }}
{{- fail (printf "http.host: the kubelet cannot reach %s in the pod's own network; leave it empty, or set hostNetwork" .Values.http.host) }}
{{- end }}
{{- if and (eq .Values.socketDirectory.type "hostPath") (toString (default 0 (dig "rollingUpdate" "maxSurge" 0 .Values.updateStrategy)) | ne "0") }}
{{- fail "updateStrategy.rollingUpdate.maxSurge must be 0 where the sockets are on the node: a second pod would wait for the path of the first, which waits for the second to be ready" }}
{{- end }}
{{- if and .Values.oomProtection.sysResource (dig "runAsUser" 0 .Values.securityContext | int | ne 0) }}
{{- fail "oomProtection.sysResource: Kubernetes gives an added capability only to user 0; leave securityContext.runAsUser, or set sysResource to false" }}
{{- end }}
{{- if and .Values.keeper.enabled (eq (include "perch.user" .) "") }}
{{- fail "keeper.enabled: the keeper must run as perch's own user, so say which: securityContext.runAsUser" }}
{{- end }}
{{- if le (include "perch.gracePeriod" . | int) (include "perch.longestStop" . | int) }}
{{- fail (printf "terminationGracePeriodSeconds: %v is not longer than a worker's stop_timeout, %s s: the kubelet would kill perch before it has stopped the worker" .Values.terminationGracePeriodSeconds (include "perch.longestStop" .)) }}
{{- end }}
{{- end }}
