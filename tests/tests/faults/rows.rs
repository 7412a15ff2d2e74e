//! One row for each fault of the catalogue.

use super::{Row, row};

/// Somebody asks for another connection, or another link, while the fault lasts.
const RECONNECT: &[&str] = &["faults.helper={ net.reset-peer: app <-> db, at: 18s, for: 1s }"];
const RESTART: &[&str] = &["faults.helper={ proc.crash: app, at: 17s, for: 2s }"];
const REATTACH: &[&str] = &["faults.helper={ proc.crash: worker, at: 17s, for: 2s }"];
/// Clients find the gateway by a name whose records live shorter than the fault.
const NAMED: &[&str] =
    &["nodes.front={ kind: traffic-manager, endpoints: [gate], probe: 10s, ttl: 5s }", "nodes.shop.to=front"];
const NARROW: &[&str] = &["nodes.gate.rate-limit=10/1s"];

/// Somebody who manages something all the time.
const MANAGED: &[&str] = &[
    "nodes.bell={ kind: alert, in: west, watch: jobs.depth, above: 1000000, for: 1m }",
    "nodes.ringer={ kind: function-app, in: west, trigger: every 2s, policy: none, steps: [{ enable: bell }] }",
];

/// Whoever gives up on an answer before the broker's client has sat out its 10 s begins a storm that may not
/// end with its cause (a zone that was cut off hands over in one burst what it held up): see `impatient_callers_keep_up_a_retry_storm_that_patient_ones_do_not`.
pub(crate) const PATIENT: &[&str] = &["policies.client.timeout=15s"];

pub(crate) const ROWS: &[Row] = &[
    row("net.latency", "app", "delay: 300ms"),
    row("net.jitter", "app", "spread: 300ms"),
    row("net.loss", "app", "rate: 20%"),
    row("net.corrupt", "app", "rate: 20%"),
    row("net.duplicate", "app", "rate: 50%"),
    row("net.reorder", "app", "rate: 50%"),
    row("net.bandwidth", "app", "limit: 300kbps"),
    row("net.partition", "app <-> db", ""),
    row("net.cross-region-cut", "west <-> east", ""),
    row("net.flap", "app <-> db", "period: 4s"),
    row("net.blackhole", "app <-> db", ""),
    row("net.reject", "app <-> db", "only-new: false"),
    row("net.reset-peer", "app <-> db", ""),
    row("net.limit-data", "app <-> db", "bytes: 4KB"),
    row("net.conn-limit", "app <-> db", "max: 0").with(RECONNECT),
    //
    row("dns.nxdomain", "front", "").with(NAMED),
    row("dns.servfail", "front", "chance: 70%").with(NAMED),
    row("dns.timeout", "front", "").with(NAMED),
    row("dns.stale-ttl", "shop", "").with(&[
        "nodes.spare={ kind: api-management, in: west, backend: app, timeout: 10s }",
        "nodes.front={ kind: traffic-manager, endpoints: [gate, spare], probe: 10s, ttl: 5s }",
        "nodes.shop.to=front",
        "faults.helper={ proc.crash: gate, at: 16s, for: 12s }",
    ]),
    row("edge.down", "front/1", "").with(&[
        "nodes.front={ kind: front-door, origins: [gate], edge-locations: 1 }",
        "nodes.shop.to=front",
    ]),
    row("route.probe-flap", "front", "says: fail").with(NAMED),
    //
    row("proc.crash", "app/1", ""),
    row("proc.restart", "app", ""),
    row("proc.pause", "worker", ""),
    row("proc.hang", "app", ""),
    row("proc.cold-start", "app", "").with(RESTART),
    row("proc.slow-start", "app", "delay: 5s").with(RESTART),
    row("proc.exception", "worker", "chance: 20%"),
    row("cpu.pressure", "app", "load: 99%")
        .with(&["nodes.app.steps.think.work=40ms", "nodes.app.request-timeout=1s"]),
    row("vm.stop", "worker", ""),
    row("vm.redeploy", "app", ""),
    row("spot.eviction", "app/2", ""),
    //
    row("zone.down", "west/1", ""),
    row("zone.isolate", "west/1", "").with(PATIENT),
    row("zone.slow", "west/1", ""),
    row("region.down", "east", ""),
    row("region.isolate", "east", ""),
    row("region.brownout", "east", "loss: 20%"),
    row("service.down", "partner", ""),
    row("config.push", "sql-database", ""),
    row("control-plane.down", "alert/west", "").with(MANAGED),
    row("control-plane.throttle", "bell", "").with(MANAGED),
    //
    row("entity.disable", "jobs", ""),
    row("entity.delete", "later", ""),
    row("broker.throttle", "bus", "limit: 5/s").with(PATIENT),
    row("broker.server-busy", "bus", "").with(PATIENT),
    row("quota.entity-full", "jobs", ""),
    row("quota.connections", "bus", "limit: 0")
        .with(&["faults.helper={ net.reset-peer: app <-> bus, at: 18s, for: 1s }"]),
    row("quota.receives", "jobs", "limit: 0").with(REATTACH),
    row("msg.too-large", "jobs", ""),
    row("lock.lost", "jobs", "chance: 30%"),
    row("session.lock-lost", "readers", "chance: 30%"),
    row("link.detach", "jobs", "chance: 30%"),
    row("renew.fail", "jobs", "").with(&["nodes.worker.steps.think.work=8s", "nodes.worker.concurrency=40"]),
    row("ack.lost", "archive", ""),
    row("send.ack-lost", "jobs", "chance: 50%"),
    row("msg.duplicate", "jobs", ""),
    row("dedup.window-miss", "jobs", "")
        .with(&["faults.helper={ send.ack-lost: jobs, at: 15s, for: 15s, chance: 50% }"]),
    row("msg.reorder", "jobs", "").with(&["faults.helper={ proc.pause: worker, at: 16s, for: 4s }"]),
    row("msg.delay-visibility", "jobs", ""),
    row("sched.late", "later", ""),
    row("msg.poison", "worker", "nth: 5").with(&["nodes.jobs.max-delivery=2"]),
    row("msg.ttl-expire", "jobs", "chance: 30%"),
    row("dlq.overflow", "jobs", "")
        .with(&["nodes.jobs.max-delivery=1", "faults.helper={ proc.exception: worker, at: 15s, for: 10s }"]),
    row("dlq.forward-broken", "done", ""),
    row("topic.filter-misroute", "readers", ""),
    row("subscription.missing", "readers", ""),
    row("txn.abort", "done", "chance: 50%"),
    row("partition.store-down", "jobs", ""),
    row("slow-consumer", "worker", "delay: 8s").with(&["nodes.worker.renew-lock=0s"]),
    //
    row("push.http-fail", "to-pushed", "chance: 50%"),
    row("handshake.fail", "to-pushed", ""),
    row("deadletter.missing", "to-pushed", "at: 10s, for: 7m").with(&[
        "time.run=9m",
        "nodes.shop.rate=1/s",
        "nodes.to-pushed.max-attempts=1",
        "faults.helper={ push.http-fail: to-pushed, at: 15s, for: 15s, chance: 50% }",
    ]),
    row("push.out-of-order", "to-pushed", "nth: 3"),
    row("push.duplicate", "to-pushed", ""),
    row("router.throttle", "events", "limit: 1/s"),
    row("filter.misconfig", "to-pushed", ""),
    //
    row("http.status", "gate", "chance: 50%"),
    row("http.abort", "gate", "chance: 50%"),
    row("http.delay", "partner", "delay: 5s"),
    row("http.cut-response", "partner", "chance: 50%"),
    row("http.slow-body", "partner", "delay: 5s"),
    row("gw.rate-limit", "gate", "limit: 1/s"),
    row("gw.quota", "gate", ""),
    row("gw.timeout-mismatch", "gate", "timeout: 1ms"),
    row("gw.breaker-stuck-open", "gate", ""),
    row("gw.backend-drain", "gate", ""),
    row("jwt.reject", "gate", ""),
    //
    row("db.throttle", "docs", "limit: 10RU/s"),
    row("db.read-only", "db", ""),
    row("db.deadlock", "db", "chance: 50%"),
    row("db.conn-pool-exhaust", "db", ""),
    row("db.failover", "db", ""),
    //
    row("clock.skew", "bus", "").with(&["nodes.worker.steps.think.work=2s", "nodes.worker.concurrency=40"]),
    row("clock.jump", "bus", "").with(&["nodes.worker.steps.think.work=2s", "nodes.worker.concurrency=40"]),
    row("clock.drift", "bus", "ppm: 900000").with(&[
        "nodes.worker.steps.think.work=4s",
        "nodes.worker.concurrency=40",
        "nodes.worker.renew-lock=0s",
    ]),
    //
    row("dep.slow", "partner", "latency: 5s"),
    row("dep.down", "partner", ""),
    row("dep.intermittent", "partner", "chance: 50%"),
    row("dep.partial", "partner", "share: 30%"),
    row("dep.wrong-answer", "partner", ""),
    row("limplock", "partner", "factor: 200"),
    row("noisy-neighbour", "partner", "factor: 200"),
    row("brownout", "partner", ""),
    //
    row("load.step", "shop", "factor: 5").with(NARROW),
    row("load.ramp", "shop", "").with(NARROW),
    row("load.spike", "shop", "").with(NARROW),
    row("load.hot-key", "shop", "rate: 20/s").with(NARROW),
    row("load.tenant-flood", "shop", "").with(NARROW),
    row("load.large-payload", "shop", "size: 300KB, share: 50%"),
];

/// Faults that probes can see, each played openly and hidden.
pub(crate) const HIDDEN: &[Row] = &[
    row("proc.pause", "app", "for: 6s"),
    row("net.loss", "app", "rate: 95%"),
    row("net.blackhole", "app", "for: 6s"),
    row("net.flap", "app", "period: 12s"),
    row("dep.down", "db", ""),
    row("db.failover", "db", ""),
];
