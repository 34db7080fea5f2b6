from prometheus_client.parser import text_string_to_metric_families

from tfhashtag.serving.metrics import ServingMetrics


def samples(metrics):
    """Samples as a Prometheus server reads them; the parser ends the names of counters itself."""
    families = list(text_string_to_metric_families(metrics.expose().decode()))
    return {
        (
            sample.name.removeprefix(":tensorflow:serving:").removesuffix("_total"),
            *sorted(sample.labels.values()),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_under_the_names_of_tensorflow_serving():
    metrics = ServingMetrics()
    metrics.record("m", "predict", "OK", 0.002)
    metrics.record("m", "predict", "OK", 0.004)
    metrics.record("m", "predict", "NOT_FOUND", 0.001, "REST")
    found = samples(metrics)
    assert found["request_count", "OK", "m"] == 2
    assert found["request_count", "NOT_FOUND", "m"] == 1
    assert found["request_latency_sum", "GRPC", "m", "predict"] == 6000
    assert found["request_latency_count", "REST", "m", "predict"] == 1
    assert found["request_latency_bucket", "+Inf", "GRPC", "m", "predict"] == 2
    text = metrics.expose().decode()
    assert "# TYPE :tensorflow:serving:request_count counter" in text
    assert "request_count_total" not in text


def test_loaded_versions_come_and_go():
    metrics = ServingMetrics()
    metrics.loaded("m", 1, True)
    metrics.loaded("m", 2, True)
    assert samples(metrics)["loaded_versions", "2", "m"] == 1
    metrics.loaded("m", 2, False)
    assert ("loaded_versions", "2", "m") not in samples(metrics)
    assert samples(metrics)["loaded_versions", "1", "m"] == 1


def test_warm_up_is_timed():
    metrics = ServingMetrics()
    metrics.record_warm_up("/m/1", "OK", 0.5)
    assert samples(metrics)["model_warmup_latency_sum", "/m/1", "OK"] == 500_000


def test_each_server_has_a_registry_of_its_own():
    one, other = ServingMetrics(), ServingMetrics()
    one.record("m", "predict", "OK", 1)
    assert ("request_count", "OK", "m") not in samples(other)


def test_the_process_is_told_of():
    page = ServingMetrics().expose()
    for name in (
        b"process_resident_memory_bytes ",
        b"process_open_fds ",
        b"python_gc_",
        b"python_info{",
    ):
        assert name in page
