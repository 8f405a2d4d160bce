"""The same scoring on Apache Spark: `scoring.spark.run.run` reads IN, scores whole patients and places OUT."""
