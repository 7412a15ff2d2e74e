//! The catalogue: one line for each fault. Schema, documentation and `beaufort list` come from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::faults::{
    Action, Aim, Common, Placement, Strikes, clock, control_plane, data, event_router, gray, http, load,
    names, network, process, queue_broker, service, zone,
};
use crate::plan::PlanError;

/// Declares [`FaultKind`]: its id, its struct and one line about it, by layer.
macro_rules! catalogue {
    ($($layer:literal { $($id:literal => $variant:ident($config:ty): $about:literal,)+ })+) => {
        /// One fault, by its id in the catalogue.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub enum FaultKind {
            $($(#[doc = $about] #[serde(rename = $id)] $variant($config),)+)+
        }

        impl FaultKind {
            /// Every fault that there is: its id, its layer, one line about it.
            #[must_use]
            pub fn catalogue() -> Vec<(&'static str, &'static str, &'static str)> {
                vec![$($(($id, $layer, $about),)+)+]
            }

            /// Its id: `net.loss`.
            #[must_use]
            pub fn id(&self) -> &'static str {
                match self { $($(FaultKind::$variant(_) => $id,)+)+ }
            }

            fn common(&self) -> &dyn Common {
                match self { $($(FaultKind::$variant(config) => config,)+)+ }
            }

            fn strikes(&self) -> &dyn Strikes {
                match self { $($(FaultKind::$variant(config) => config,)+)+ }
            }
        }
    };
}

impl FaultKind {
    /// What it strikes.
    #[must_use]
    pub fn target(&self) -> &str {
        self.common().target()
    }

    /// When and how often.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.common().placement()
    }

    /// What it does to the world.
    ///
    /// # Errors
    /// If its target does not exist or it cannot apply to it.
    pub fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        self.strikes().actions(aim)
    }

    /// Whether the processes that it strikes go on running: slowly, or by a wrong clock. Then they notice
    /// the trouble themselves.
    #[must_use]
    pub fn alters_running(&self) -> bool {
        matches!(
            self,
            FaultKind::CpuPressure(_)
                | FaultKind::Limplock(_)
                | FaultKind::NoisyNeighbour(_)
                | FaultKind::Brownout(_)
                | FaultKind::ZoneSlow(_)
                | FaultKind::RegionBrownout(_)
                | FaultKind::ClockSkew(_)
                | FaultKind::ClockJump(_)
                | FaultKind::ClockDrift(_)
        )
    }

    pub(crate) fn as_load(&self) -> Option<load::Load> {
        self.strikes().as_load()
    }
}

catalogue! {
    "network" {
        "net.latency" => NetLatency(network::Latency): "Messages take longer.",
        "net.jitter" => NetJitter(network::Jitter): "Messages take longer by a varying amount.",
        "net.loss" => NetLoss(network::Loss): "Packets are lost, evenly or in bursts.",
        "net.corrupt" => NetCorrupt(network::Corrupt): "Packets arrive damaged and are thrown away.",
        "net.duplicate" => NetDuplicate(network::Duplicate): "Datagrams arrive twice.",
        "net.reorder" => NetReorder(network::Reorder): "Datagrams are overtaken.",
        "net.bandwidth" => NetBandwidth(network::Slowness): "The path carries less.",
        "net.partition" => NetPartition(network::Partition): "Nothing gets through, both ways or one way.",
        "net.cross-region-cut" => NetCrossRegionCut(network::CrossRegionCut): "Regions lose sight of one another.",
        "net.flap" => NetFlap(network::Flap): "The path comes and goes.",
        "net.blackhole" => NetBlackhole(network::Blackhole): "A rule drops packets without a word.",
        "net.reject" => NetReject(network::Reject): "A rule refuses connections with a reset.",
        "net.reset-peer" => NetResetPeer(network::ResetPeer): "Connections are reset.",
        "net.limit-data" => NetLimitData(network::LimitData): "A connection breaks after so many bytes.",
        "net.conn-limit" => NetConnLimit(network::ConnectionLimit): "No more than so many connections.",
    }
    "names" {
        "dns.nxdomain" => DnsNxdomain(names::NoSuchName): "A name does not exist.",
        "dns.servfail" => DnsServfail(names::ServerFailure): "Name servers fail.",
        "dns.timeout" => DnsTimeout(names::Silence): "Name servers do not answer.",
        "dns.stale-ttl" => DnsStaleTtl(names::StaleTtl): "Records are used beyond their time to live.",
        "edge.down" => EdgeDown(names::EdgeDown): "An edge location is lost.",
        "route.probe-flap" => RouteProbeFlap(names::ProbeFlap): "The probes of a router say what is not so.",
    }
    "process" {
        "proc.crash" => ProcCrash(process::Crash): "The process dies without warning and starts again after `for`.",
        "proc.restart" => ProcRestart(process::Restart): "The process stops in good order and starts again.",
        "proc.pause" => ProcPause(process::Pause): "The process stands still, then handles what came meanwhile.",
        "proc.hang" => ProcHang(process::Hang): "The process stands still until it is killed.",
        "proc.cold-start" => ProcColdStart(process::ColdStart): "Starts take longer.",
        "proc.slow-start" => ProcSlowStart(process::SlowStart): "An instance is slow at first.",
        "proc.exception" => ProcException(process::Exception): "A step fails with an exception.",
        "cpu.pressure" => CpuPressure(process::CpuPressure): "Something else takes the processor.",
        "vm.stop" => VmStop(process::VmStop): "The machine is switched off.",
        "vm.redeploy" => VmRedeploy(process::VmRedeploy): "The machine is moved to another host.",
        "spot.eviction" => SpotEviction(process::SpotEviction): "The platform takes the machine back.",
    }
    "zone" {
        "zone.down" => ZoneDown(zone::ZoneDown): "A zone loses its power.",
        "zone.isolate" => ZoneIsolate(zone::ZoneIsolate): "A zone is cut off.",
        "zone.slow" => ZoneSlow(zone::ZoneSlow): "A zone is slow.",
        "region.down" => RegionDown(zone::RegionDown): "A whole site loses its power.",
        "region.isolate" => RegionIsolate(zone::RegionIsolate): "A whole site is cut off.",
        "region.brownout" => RegionBrownout(zone::RegionBrownout): "A whole site is slow and loses messages.",
        "service.down" => ServiceDown(service::ServiceDown): "One service of a region answers nobody.",
        "control-plane.down" => ControlPlaneDown(control_plane::Down): "Nothing can be changed any more; what runs goes on.",
        "control-plane.throttle" => ControlPlaneThrottle(control_plane::Throttle): "Management requests are refused: too many.",
        "config.push" => ConfigPush(service::ConfigPush): "A bad configuration reaches all nodes of one kind at once.",
    }
    "queue broker" {
        "entity.disable" => EntityDisable(queue_broker::EntityDisable): "An entity is switched off for sending, receiving or both.",
        "entity.delete" => EntityDelete(queue_broker::EntityDelete): "An entity is deleted.",
        "broker.throttle" => BrokerThrottle(queue_broker::Throttle): "The namespace serves no more than so many operations.",
        "broker.server-busy" => BrokerServerBusy(queue_broker::ServerBusy): "The namespace answers ServerBusy.",
        "quota.entity-full" => QuotaEntityFull(queue_broker::EntityFull): "An entity is full.",
        "quota.connections" => QuotaConnections(queue_broker::Connections): "No more than so many connections to the namespace.",
        "quota.receives" => QuotaReceives(queue_broker::Receives): "No more than so many concurrent receives.",
        "msg.too-large" => MsgTooLarge(queue_broker::TooLarge): "Messages are refused as too large.",
        "lock.lost" => LockLost(queue_broker::LockLost): "The lock of a delivery is lost.",
        "session.lock-lost" => SessionLockLost(queue_broker::SessionLockLost): "The lock of a session is lost.",
        "link.detach" => LinkDetach(queue_broker::LinkDetach): "Links are detached.",
        "renew.fail" => RenewFail(queue_broker::RenewFail): "Renewals of locks fail.",
        "ack.lost" => AckLost(queue_broker::AckLost): "A settlement is carried out, its answer lost.",
        "send.ack-lost" => SendAckLost(queue_broker::SendAckLost): "A message is stored, its sender does not learn it.",
        "msg.duplicate" => MsgDuplicate(queue_broker::Duplicate): "Messages are delivered twice.",
        "dedup.window-miss" => DedupWindowMiss(queue_broker::DedupMiss): "Duplicate detection misses a repetition.",
        "msg.reorder" => MsgReorder(queue_broker::Reorder): "Messages are delivered out of order.",
        "msg.delay-visibility" => MsgDelayVisibility(queue_broker::DelayVisibility): "Messages become visible late.",
        "sched.late" => SchedLate(queue_broker::ScheduleLate): "Scheduled messages become active late.",
        "msg.poison" => MsgPoison(queue_broker::Poison): "Messages that the app can never handle.",
        "msg.ttl-expire" => MsgTtlExpire(queue_broker::TtlExpire): "Messages expire before their time.",
        "dlq.overflow" => DlqOverflow(queue_broker::DeadLetterFull): "The dead-letter queue is full.",
        "dlq.forward-broken" => DlqForwardBroken(queue_broker::ForwardBroken): "Forwarding does not work.",
        "topic.filter-misroute" => TopicFilterMisroute(queue_broker::FilterMisroute): "A filter lets the wrong messages through.",
        "subscription.missing" => SubscriptionMissing(queue_broker::SubscriptionMissing): "A subscription gets no copies.",
        "txn.abort" => TxnAbort(queue_broker::TransactionAborts): "Transactions are rolled back.",
        "partition.store-down" => PartitionStoreDown(queue_broker::StoreDown): "A message store is not available.",
        "slow-consumer" => SlowConsumer(queue_broker::SlowConsumer): "A consumer needs longer for each message.",
    }
    "event router" {
        "push.http-fail" => PushHttpFail(event_router::PushFails): "Pushes fail on the way to their handler.",
        "handshake.fail" => HandshakeFail(event_router::HandshakeFails): "The validation handshake fails.",
        "deadletter.missing" => DeadLetterMissing(event_router::DeadLetterMissing): "The dead-letter destination does not exist.",
        "push.out-of-order" => PushOutOfOrder(event_router::OutOfOrder): "Events are pushed out of order.",
        "push.duplicate" => PushDuplicate(event_router::PushTwice): "Events are pushed twice.",
        "router.throttle" => RouterThrottle(event_router::Throttle): "The router takes no more than so many events.",
        "filter.misconfig" => FilterMisconfig(event_router::Misfilter): "A filter lets the wrong events through.",
    }
    "http" {
        "http.status" => HttpStatus(http::Status): "Requests are refused with a status.",
        "http.abort" => HttpAbort(http::Abort): "Connections close in the middle of a request.",
        "http.delay" => HttpDelay(http::Delay): "Requests wait.",
        "http.cut-response" => HttpCutResponse(http::CutResponse): "Requests are carried out, responses break off.",
        "http.slow-body" => HttpSlowBody(http::SlowBody): "Responses take long to arrive.",
        "gw.rate-limit" => GwRateLimit(http::RateLimit): "The gateway lets fewer requests through.",
        "gw.quota" => GwQuota(http::Quota): "The gateway's quota is used up.",
        "gw.timeout-mismatch" => GwTimeoutMismatch(http::TimeoutMismatch): "The gateway gives up too early.",
        "gw.breaker-stuck-open" => GwBreakerStuckOpen(http::BreakerStuckOpen): "The gateway's breaker stays open.",
        "gw.backend-drain" => GwBackendDrain(http::BackendDrain): "The gateway takes its backend out of rotation.",
        "jwt.reject" => JwtReject(http::JwtReject): "Tokens are rejected.",
    }
    "data" {
        "db.throttle" => DbThrottle(data::Throttle): "The store has fewer request units.",
        "db.read-only" => DbReadOnly(data::ReadOnly): "The database is read-only.",
        "db.deadlock" => DbDeadlock(data::Deadlock): "Transactions are chosen as deadlock victims.",
        "db.conn-pool-exhaust" => DbConnPoolExhaust(data::PoolExhausted): "No connection or worker is free.",
        "db.failover" => DbFailover(data::Failover): "The database fails over.",
    }
    "time" {
        "clock.skew" => ClockSkew(clock::Skew): "The wall clock is wrong for a while.",
        "clock.jump" => ClockJump(clock::Jump): "The wall clock is set to another time.",
        "clock.drift" => ClockDrift(clock::Drift): "The clock runs fast or slow.",
    }
    "gray" {
        "dep.slow" => DepSlow(gray::Slow): "The dependency answers late.",
        "dep.down" => DepDown(gray::Down): "The dependency refuses everything.",
        "dep.intermittent" => DepIntermittent(gray::Intermittent): "The dependency fails now and then.",
        "dep.partial" => DepPartial(gray::Partial): "The dependency fails for some keys.",
        "dep.wrong-answer" => DepWrongAnswer(gray::WrongAnswer): "The dependency says yes and does nothing.",
        "limplock" => Limplock(gray::Limplock): "A host limps.",
        "noisy-neighbour" => NoisyNeighbour(gray::NoisyNeighbour): "A neighbour takes its share.",
        "brownout" => Brownout(gray::Brownout): "Everything about the target is slow.",
    }
    "load" {
        "load.step" => LoadStep(load::Step): "More load from one moment to the next.",
        "load.ramp" => LoadRamp(load::Ramp): "The load grows.",
        "load.spike" => LoadSpike(load::Spike): "A short burst of load.",
        "load.hot-key" => LoadHotKey(load::HotKey): "Much load on one key.",
        "load.tenant-flood" => LoadTenantFlood(load::TenantFlood): "One tenant sends more than all others.",
        "load.large-payload" => LoadLargePayload(load::LargePayload): "Items of unusual size.",
    }
}
