{{/* The chart's name. */}}
{{- define "podgrace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of everything: the release's where it says podgrace already. 53 leaves room for endings. */}}
{{- define "podgrace.fullname" -}}
{{- $name := include "podgrace.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "podgrace.selectorLabels" -}}
app.kubernetes.io/name: {{ include "podgrace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "podgrace.labels" -}}
{{ include "podgrace.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with omit .Values.commonLabels "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "podgrace.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "podgrace.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "podgrace.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Where the serving certificate comes from: self-managed, cert-manager or secret. */}}
{{- define "podgrace.certificates" -}}
{{- if .Values.certManager.enabled -}}
cert-manager
{{- else if .Values.tls.secretName -}}
secret
{{- else -}}
self-managed
{{- end -}}
{{- end -}}

{{- define "podgrace.tlsSecret" -}}
{{- default (printf "%s-tls" (include "podgrace.fullname" .)) .Values.tls.secretName -}}
{{- end -}}

{{/* YAML takes a bare off for false; so it is written as the word again. */}}
{{- define "podgrace.word" -}}
{{- if kindIs "bool" . }}{{ ternary "on" "off" . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* The configuration file. */}}
{{- define "podgrace.configuration" -}}
{{- $config := deepCopy (default dict .Values.config) -}}
{{- $tables := list -}}
{{- with $config.defaults }}{{ $tables = append $tables . }}{{ end -}}
{{- range $config.profiles }}{{ $tables = append $tables . }}{{ end -}}
{{- range $table := $tables -}}
{{- range $key, $value := $table }}{{ $_ := set $table $key (include "podgrace.word" $value) }}{{ end -}}
{{- end -}}
{{- if kindIs "bool" $config.sleepAction }}{{ $_ := set $config "sleepAction" "off" }}{{ end -}}
apiVersion: podgrace.io/v1alpha1
kind: PodgraceConfiguration
mode: {{ include "podgrace.word" .Values.mode | quote }}
{{- with $config }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Namespaces that no webhook of ours ever sees, whatever their labels. */}}
{{- define "podgrace.excludedNamespaces" -}}
{{- $more := .Values.webhook.excludedNamespaces -}}
{{- /* Who makes our certificate must be able to start without us. */ -}}
{{- if .Values.certManager.enabled }}{{ $more = prepend $more .Values.certManager.namespace }}{{ end -}}
{{- concat (list .Release.Namespace "kube-system" "kube-public" "kube-node-lease") $more | uniq | toYaml -}}
{{- end -}}

{{/* A namespaceSelector: (dict "root" . "mode" EXPRESSION). */}}
{{- define "podgrace.namespaceSelector" -}}
{{- $more := .root.Values.webhook.namespaceSelector -}}
{{- with $more.matchLabels }}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values:
      {{- include "podgrace.excludedNamespaces" .root | nindent 6 }}
  - {{ toYaml .mode | nindent 4 | trim }}
{{- with $more.matchExpressions }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Namespaces whose pods the first webhook sees. */}}
{{- define "podgrace.matchedNamespaces" -}}
{{- $mode := dict "key" "podgrace.io/mode" "operator" "In" "values" (list "enforce" "audit") -}}
{{- if eq .Values.scope "cluster" -}}
{{- $mode = dict "key" "podgrace.io/mode" "operator" "NotIn" "values" (list "off") -}}
{{- end -}}
{{- include "podgrace.namespaceSelector" (dict "root" . "mode" $mode) -}}
{{- end -}}

{{/* All others: a pod must not be sent twice for one creation. */}}
{{- define "podgrace.otherNamespaces" -}}
{{- $mode := dict "key" "podgrace.io/mode" "operator" "NotIn" "values" (list "enforce" "audit") -}}
{{- if eq .Values.scope "cluster" -}}
{{- $mode = dict "key" "podgrace.io/mode" "operator" "In" "values" (list "off") -}}
{{- end -}}
{{- include "podgrace.namespaceSelector" (dict "root" . "mode" $mode) -}}
{{- end -}}

{{/* An objectSelector: (dict "root" . "operator" OPERATOR "values" LIST). */}}
{{- define "podgrace.objectSelector" -}}
{{- $more := .root.Values.webhook.objectSelector -}}
{{- with $more.matchLabels }}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
matchExpressions:
  - key: podgrace.io/mode
    operator: {{ .operator }}
    values:
      {{- toYaml .values | nindent 6 }}
{{- with $more.matchExpressions }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* How API servers reach us: (dict "root" . "path" PATH). */}}
{{- define "podgrace.clientConfig" -}}
service:
  name: {{ include "podgrace.fullname" .root }}
  namespace: {{ .root.Release.Namespace }}
  path: {{ .path }}
  port: 443
{{- with .root.Values.tls.caBundle }}
caBundle: {{ b64enc . }}
{{- end }}
{{- end -}}

{{/* Annotations of a webhook configuration. */}}
{{- define "podgrace.webhookAnnotations" -}}
{{- $annotations := deepCopy (default dict .Values.webhook.annotations) -}}
{{- if .Values.certManager.enabled -}}
{{- $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s" .Release.Namespace (include "podgrace.fullname" .)) -}}
{{- end -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
