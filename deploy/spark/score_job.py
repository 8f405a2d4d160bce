"""What spark-submit is given: tregcast itself comes from the environment of driver and executors.

    spark-submit --archives env.tar.gz#env deploy/spark/score_job.py IN OUT --pack PACK

docs/batch-on-spark.md has the whole line.
"""

from scoring.spark.job import score_job

if __name__ == "__main__":
    score_job()
