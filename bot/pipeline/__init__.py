"""The verbs, one per stage - ingest, classify, cluster, decide, deliver."""
