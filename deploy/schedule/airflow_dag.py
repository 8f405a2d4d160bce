"""An Airflow DAG (2.7 or later): scores each day's export of visits in a pod, from an image with a pinned pack.

The day is the end of the interval that Airflow schedules: a run of the past scores that day's file, as of that day.
Exit code 3 (too many rejects; the scores are there) fails the task at once: to try again would change nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

DAY = "{{ data_interval_end | ds }}"
ARGUMENTS = [
    "score",
    f"/data/exports/visits-{DAY}.parquet",
    f"/data/scores/scores-{DAY}.parquet",
    *("--pack", "/opt/pack", "--as-of", DAY, "--resume", "--max-rejects", "1%"),
]

with DAG(
    dag_id="tregcast_score",
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
):
    KubernetesPodOperator(
        task_id="score",
        name="tregcast-score",
        namespace="tregcast",
        image="registry.hospital.example/tregcast-batch:0.1.0",
        cmds=["tregcast"],
        arguments=ARGUMENTS,
        retries=2,
        retry_delay=timedelta(minutes=5),
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "2", "memory": "1Gi"}, limits={"memory": "1500Mi"}
        ),
        security_context={"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001},
        container_security_context={
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        volumes=[
            k8s.V1Volume(
                name="data",
                persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="tregcast-data"),
            ),
            k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource()),
        ],
        volume_mounts=[
            k8s.V1VolumeMount(name="data", mount_path="/data"),
            k8s.V1VolumeMount(name="tmp", mount_path="/tmp"),
        ],
    )
