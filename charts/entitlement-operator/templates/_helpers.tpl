{{/* The name of all objects that have a namespace. It does not depend on the release: only one operator works on a cluster. */}}
{{- define "entitlement-operator.name" -}}
entitlement-operator
{{- end }}

{{/* The name of what has no namespace and belongs to this installation alone. */}}
{{- define "entitlement-operator.clusterName" -}}
{{- if eq .Release.Namespace "entitlement-operator" -}}
entitlement-operator
{{- else -}}
entitlement-operator-{{ .Release.Namespace }}
{{- end }}
{{- end }}

{{/* Helm's own. There is no app.kubernetes.io/instance, by which Argo CD would take objects for its own. */}}
{{- define "entitlement-operator.helmLabels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What the operator's objects and pods are known by. */}}
{{- define "entitlement-operator.selector" -}}
app.kubernetes.io/name: entitlement-operator
{{- end }}

{{- define "entitlement-operator.labels" -}}
{{ include "entitlement-operator.selector" . }}
{{ include "entitlement-operator.helmLabels" . }}
{{- end }}

{{- define "entitlement-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "entitlement-operator.account" -}}
kind: ServiceAccount
name: {{ .Values.serviceAccount.name | quote }}
namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{/* The arguments of the operator, one a line. What is the operator's own default is left out. */}}
{{- define "entitlement-operator.args" -}}
- run
- --namespace={{ .Release.Namespace }}
- --log-format={{ .Values.logFormat }}
{{- with .Values.logFilter }}
- {{ printf "--log-filter=%s" . | quote }}
{{- end }}
{{- with .Values.organizationBytes }}
- --organization-bytes={{ . }}
{{- end }}
{{- with .Values.concurrency }}
- --concurrency={{ . }}
{{- end }}
{{- if eq .Values.store.type "sqlite" }}
- --store=sqlite:///var/lib/entitlement-operator/store.db
{{- end }}
{{- if .Values.webhook.enabled }}
- --webhook-service={{ include "entitlement-operator.name" . }}
- --webhook-configuration={{ include "entitlement-operator.clusterName" . }}
- --webhook-register=false
{{- if .Values.webhook.allowMissing }}
- --webhook-allow-missing
{{- end }}
{{- end }}
{{- if .Values.api.enabled }}
- --api-address=0.0.0.0:9444
{{- with .Values.api.certificate.secretName }}
- --api-certificate=/etc/entitlement-operator/api
{{- end }}
{{- end }}
{{- with .Values.namespaces }}
- --namespaces={{ uniq . | sortAlpha | join "," }}
{{- end }}
{{- with .Values.secrets.namespaces }}
{{- $secrets := uniq . | sortAlpha }}
{{- if ne (join "," $secrets) (uniq $.Values.namespaces | sortAlpha | join ",") }}
- --secret-namespaces={{ join "," $secrets }}
{{- end }}
{{- end }}
{{- if .Values.readOnly }}
- --read-only
{{- end }}
{{- with .Values.leaseDuration }}
- --lease-duration={{ . }}
{{- end }}
{{- if .Values.metrics.perInstance }}
- --metrics-per-instance
{{- end }}
{{- with .Values.tracing.endpoint }}
- {{ printf "--otlp-endpoint=%s" . | quote }}
{{- end }}
{{- with .Values.prometheus }}
{{- if .url }}
- {{ printf "--prometheus-url=%s" .url | quote }}
{{- with .tokenKey }}
- {{ printf "--prometheus-token-file=/etc/entitlement-operator/prometheus/%s" . | quote }}
{{- end }}
{{- with .user }}
- {{ printf "--prometheus-user=%s" . | quote }}
{{- end }}
{{- with .headerKey }}
- {{ printf "--prometheus-header-file=/etc/entitlement-operator/prometheus/%s" . | quote }}
{{- end }}
{{- with .certificateAuthorityKey }}
- {{ printf "--prometheus-certificate-authority=/etc/entitlement-operator/prometheus/%s" . | quote }}
{{- end }}
{{- with .timeout }}
- --prometheus-timeout={{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* What is done with grants, where they are served. */}}
{{- define "entitlement-operator.rulesOfGrants" -}}
- apiGroups: [entitlements.dev]
  resources: [entitlementinstances, entitlementsubscriptions, entitlementoverrides, entitlementusages]
  verbs: [get, list, watch]
- apiGroups: [entitlements.dev]
  resources: [overridedecisions]
  verbs: [list, watch]
{{- if not .Values.readOnly }}
- apiGroups: [entitlements.dev]
  resources: [entitlementinstances/status, entitlementsubscriptions/status, entitlementoverrides/status, entitlementusages/status]
  verbs: [patch]
- apiGroups: [entitlements.dev]
  resources: [entitlementoverrides]
  # A ValidatingAdmissionPolicy asks for it.
  verbs: [record]
{{- end }}
{{- end }}

{{/* Delivering, putting right, and withdrawing what grants bring; and reading the Secrets that they name. */}}
{{- define "entitlement-operator.rulesOfOutputs" -}}
- apiGroups: [""]
  resources: [{{ .resource }}]
  verbs: [get, list, watch{{ if .write }}, create, patch, delete{{ end }}]
{{- end }}
