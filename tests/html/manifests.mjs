// Manifests of as many workloads as a test wants, of four kinds in turn; the fourth lacks nothing.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CONTAINERS = [
  `        ports: [{name: http, containerPort: 8080}]
        livenessProbe: {httpGet: {path: /live, port: http}, periodSeconds: 10}
`,
  `        ports: [{containerPort: 8080}]
`,
  `        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        lifecycle: {preStop: {exec: {command: [sleep, "40"]}}}
`,
  `        ports: [{name: http, containerPort: 8080}]
        livenessProbe: {httpGet: {path: /live, port: http}}
        startupProbe: {httpGet: {path: /live, port: http}, periodSeconds: 1, failureThreshold: 150}
        readinessProbe: {httpGet: {path: /ready, port: http}}
        lifecycle: {preStop: {sleep: {seconds: 5}}}
      terminationGracePeriodSeconds: 35
`,
];

export function write(folder, count) {
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const name = `app-${String(index).padStart(5, "0")}`;
    const namespace = `team-${index % 23}`;
    writeFileSync(join(folder, `${name}.yaml`), `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  replicas: 3
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
      - name: ${name}
        image: example.com/app:${index}
${CONTAINERS[index % CONTAINERS.length]}`);
  }
}
