//! What connects the sites: for every pair of them a round trip and where it comes from, a share of losses and
//! a bandwidth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blueprint::Blueprint;
use crate::network::round_trips::{pairs_one_way, published};
use crate::plan::PlanError;
use crate::time::Span;
use crate::units::{Bandwidth, Distribution, Ratio, Sampler};

/// Between two sites that are not in the published table; a parameter of ours.
pub const UNKNOWN: Distribution = Distribution::Lognormal { median: Span::millis(20), p99: Span::millis(27) };

/// A link between two sites.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Link {
    /// What kind of link. Default: backbone. The others are not modelled yet and are refused.
    pub kind: LinkKind,
    /// The two sites.
    pub between: Vec<String>,
    /// How much it carries in each direction. Default: more than is ever sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bandwidth>,
    /// The round trip. Default: the published one of the two regions (facts data 5.6); 20ms p99 27ms for
    /// sites that are not in that table, a parameter of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt: Option<Distribution>,
    /// The share of the messages that is lost in each direction, and is sent again. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Ratio>,
    /// Which of several links is taken. Not modelled yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<u32>,
    /// Whether the loss of the link is detected by BFD. Not modelled yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bfd: Option<bool>,
    /// The size of the gateway or circuit. Not modelled yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
}

/// The kinds of link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// The cloud provider's own network between two regions.
    #[default]
    Backbone,
    /// A private circuit. Not modelled yet.
    Expressroute,
    /// A tunnel over the internet. Not modelled yet.
    Vpn,
    /// A relay in the cloud that both sides call. Not modelled yet.
    Relay,
    /// A network of one's own. Not modelled yet.
    Lan,
}

impl LinkKind {
    const fn word(self) -> &'static str {
        match self {
            LinkKind::Backbone => "backbone",
            LinkKind::Expressroute => "expressroute",
            LinkKind::Vpn => "vpn",
            LinkKind::Relay => "relay",
            LinkKind::Lan => "lan",
        }
    }
}

/// Where a round trip comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The `rtt` of this link.
    Link(String),
    /// The published table (facts data 5.6).
    Published,
    /// Nobody says; [`UNKNOWN`].
    Unknown,
}

/// What connects two sites.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The sites, by file order, the smaller first.
    pub sites: (u8, u8),
    /// The round trip.
    pub round_trip: Distribution,
    /// Where it comes from.
    pub source: Source,
    /// The share of the messages that is lost in each direction.
    pub loss: f64,
    /// Bytes a second in each direction.
    pub bandwidth: Option<u64>,
}

impl Route {
    /// How long one way takes: half of the round trip, spread so that the sum of two independent ways has the
    /// median and the 95th percentile of the round trip, within two hundredths.
    #[must_use]
    pub fn one_way(&self) -> Sampler {
        let half = |span: Span| span.scaled(1, 2);
        match self.round_trip {
            Distribution::Constant(span) => Distribution::Constant(half(span)),
            Distribution::Uniform(low, high) => Distribution::Uniform(half(low), half(high)),
            Distribution::Lognormal { median, p99 } => {
                let spread = libm::pow(p99.0 as f64 / median.0.max(1) as f64, std::f64::consts::SQRT_2);
                let median = half(median);
                Distribution::Lognormal { median, p99: Span((median.0 as f64 * spread) as u64) }
            }
        }
        .sampler()
    }
}

/// What connects every two sites.
#[must_use]
pub fn routes(blueprint: &Blueprint) -> Vec<Route> {
    let count = blueprint.sites.len() as u8;
    (0..count).flat_map(|a| (a + 1..count).map(move |b| route(blueprint, a, b))).collect()
}

fn route(blueprint: &Blueprint, a: u8, b: u8) -> Route {
    let name =
        |index: u8| blueprint.sites.get_index(usize::from(index)).map_or("", |(name, _)| name.as_str());
    let names = (name(a), name(b));
    let link = blueprint
        .links
        .iter()
        .find(|(_, link)| link.joins() == Some(names) || link.joins() == Some((names.1, names.0)));
    let (round_trip, source) =
        match (link.and_then(|(name, link)| Some((name, link.rtt?))), published(names.0, names.1)) {
            (Some((name, rtt)), _) => (rtt, Source::Link(name.clone())),
            (None, Some(row)) => (row.distribution(), Source::Published),
            (None, None) => (UNKNOWN, Source::Unknown),
        };
    Route {
        sites: (a, b),
        round_trip,
        source,
        loss: link.and_then(|(_, link)| link.loss).map_or(0.0, |loss| loss.0),
        bandwidth: link.and_then(|(_, link)| link.bandwidth).map(|bandwidth| bandwidth.0),
    }
}

impl Link {
    /// The two sites, if there are two.
    #[must_use]
    pub fn joins(&self) -> Option<(&str, &str)> {
        match self.between.as_slice() {
            [a, b] => Some((a, b)),
            _ => None,
        }
    }
}

/// What is wrong with the sites' pairs and the links.
pub(crate) fn check(blueprint: &Blueprint) -> Vec<PlanError> {
    let mut errors: Vec<PlanError> =
        blueprint.sites.keys().filter_map(|site| check_pair(blueprint, site)).collect();
    for (index, (name, link)) in blueprint.links.iter().enumerate() {
        errors.extend(check_ends(blueprint, name, link));
        errors.extend(check_numbers(name, link));
        errors.extend(check_twice(blueprint, index, name, link));
    }
    errors
}

/// Which sites there are, in words.
pub(crate) fn sites(blueprint: &Blueprint) -> String {
    let names: Vec<&str> = blueprint.sites.keys().map(String::as_str).collect();
    match names.is_empty() {
        true => "there are none yet: `sites: { here: { zones: 3 } }`".to_owned(),
        false => format!("the sites are: {}", names.join(", ")),
    }
}

fn check_pair(blueprint: &Blueprint, name: &str) -> Option<PlanError> {
    let pair = blueprint.sites.get(name)?.pair.as_deref()?;
    let error = |message: String| PlanError::at(&["sites", name, "pair"], message);
    if pair == name {
        return Some(
            error(format!("`{name}` cannot be the pair of itself"))
                .help("name the other region")
                .word("pair"),
        );
    }
    let Some(other) = blueprint.sites.get(pair) else {
        return Some(error(format!("there is no site `{pair}`")).help(sites(blueprint)).word("dangling"));
    };
    if other.pair.as_deref() == Some(name) || pairs_one_way(name, pair) {
        return None;
    }
    let found = match &other.pair {
        Some(third) => format!("the pair of `{pair}` is `{third}`"),
        None => format!("`{pair}` has no pair"),
    };
    let help = format!("regions are paired both ways: write `pair: {name}` in `{pair}` too");
    Some(error(format!("`{pair}` is not paired with `{name}`: {found}")).help(help).word("pair"))
}

fn check_ends(blueprint: &Blueprint, name: &str, link: &Link) -> Vec<PlanError> {
    let error = |message: String| PlanError::at(&["links", name, "between"], message);
    let Some((a, b)) = link.joins() else {
        let message = format!("a link joins two sites, and this names {}", link.between.len());
        return vec![error(message).help("write `between: [westeurope, northeurope]`").word("link")];
    };
    let unknown = [a, b].into_iter().filter(|site| !blueprint.sites.contains_key(*site));
    let mut errors: Vec<PlanError> = unknown
        .map(|site| error(format!("there is no site `{site}`")).help(sites(blueprint)).word("dangling"))
        .collect();
    if a == b && errors.is_empty() {
        let message = format!("this joins `{a}` with itself");
        errors.push(
            error(message).help("inside a site there is always a network; name two sites").word("link"),
        );
    }
    errors
}

fn check_numbers(name: &str, link: &Link) -> Vec<PlanError> {
    let error = |field: &str, message: String| PlanError::at(&["links", name, field], message);
    let mut errors = Vec::new();
    if link.kind != LinkKind::Backbone {
        let message = format!("links of the kind `{}` are not yet modelled", link.kind.word());
        errors.push(
            error("kind", message)
                .help("today there is `backbone`; leave the link out, or use that")
                .word("not-modelled"),
        );
    }
    let odd =
        [("preference", link.preference.is_some()), ("bfd", link.bfd.is_some()), ("sku", link.sku.is_some())];
    for (field, _) in odd.into_iter().filter(|(_, given)| *given && link.kind == LinkKind::Backbone) {
        let message = format!("`{field}` is not yet modelled, and a backbone has none");
        errors.push(error(field, message).help("leave it out").word("not-modelled"));
    }
    if link.loss.is_some_and(|loss| loss.0 >= 1.0) {
        let help = "to cut a link for a while, use the fault `net.partition` with its name";
        errors
            .push(error("loss", "a link that loses everything is none".to_owned()).help(help).word("value"));
    }
    if link.bandwidth == Some(Bandwidth(0)) {
        let help = "leave it out, or write for example `1Gbps`";
        errors.push(
            error("bandwidth", "a link that carries nothing is none".to_owned()).help(help).word("value"),
        );
    }
    if link.rtt == Some(Distribution::Constant(Span::ZERO)) {
        let help = "write for example `20ms`, or leave it out for the published one";
        errors.push(error("rtt", "no round trip takes no time".to_owned()).help(help).word("value"));
    }
    errors
}

fn check_twice(blueprint: &Blueprint, index: usize, name: &str, link: &Link) -> Option<PlanError> {
    let ends = |link: &Link| link.joins().map(|(a, b)| (a.min(b).to_owned(), a.max(b).to_owned()));
    let (a, b) = ends(link).filter(|(a, b)| a != b)?;
    let mut before = blueprint.links.iter().take(index);
    let (first, _) = before.find(|(_, other)| other.kind == link.kind && ends(other) == ends(link))?;
    let message = format!("`{first}` is a {} between {a} and {b} already", link.kind.word());
    Some(PlanError::at(&["links", name], message).help("keep one of the two").word("link"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::Site;
    use crate::random::{Purpose, Random};

    fn blueprint(links: &[(&str, Link)]) -> Blueprint {
        let site = |name: &str| (name.to_owned(), Site::default());
        Blueprint {
            sites: ["westeurope", "northeurope", "here"].map(site).into_iter().collect(),
            links: links.iter().map(|(name, link)| ((*name).to_owned(), link.clone())).collect(),
            ..Blueprint::default()
        }
    }

    fn between(a: &str, b: &str) -> Link {
        Link { between: vec![a.to_owned(), b.to_owned()], ..Link::default() }
    }

    #[test]
    fn each_pair_has_a_round_trip_and_a_source() {
        let rtt = Distribution::Constant(Span::millis(7));
        let link = Link { rtt: Some(rtt), loss: Some(Ratio(0.1)), ..between("here", "westeurope") };
        let routes = routes(&blueprint(&[("own", link), ("silent", between("northeurope", "here"))]));
        let found: Vec<_> =
            routes.iter().map(|route| (route.sites, route.source.clone(), route.loss)).collect();
        let own = Source::Link("own".to_owned());
        assert_eq!(
            found,
            [((0, 1), Source::Published, 0.0), ((0, 2), own, 0.1), ((1, 2), Source::Unknown, 0.0)]
        );
        assert_eq!((routes[1].round_trip, routes[2].round_trip), (rtt, UNKNOWN));
    }

    #[test]
    fn two_ways_make_the_published_round_trip() {
        let mut blueprint = blueprint(&[]);
        blueprint.sites =
            ["eastus", "centralus"].map(|name| (name.to_owned(), Site::default())).into_iter().collect();
        let row = published("eastus", "centralus").expect("a row");
        let (way, random) = (routes(&blueprint)[0].one_way(), Random::new(1));
        let draw = |n: u64, leg: u64| way.at(random.draw(Purpose::Latency, 7, [n, leg])).0;
        let mut trips: Vec<u64> = (0..20_000).map(|n| draw(n, 0) + draw(n, 1)).collect();
        trips.sort_unstable();
        let near = |found: u64, wanted: Span| (found as f64 / wanted.0 as f64 - 1.0).abs() < 0.02;
        assert!(near(trips[10_000], row.median), "median {} of {}", trips[10_000], row.median);
        assert!(near(trips[19_000], row.p95), "p95 {} of {}", trips[19_000], row.p95);
    }

    #[test]
    fn what_is_wrong_with_a_link_is_said() {
        let words = |links: &[(&str, Link)]| -> Vec<&str> {
            check(&blueprint(links)).iter().map(|e| e.word).collect()
        };
        assert!(
            words(&[("a", between("westeurope", "here")), ("b", between("here", "northeurope"))]).is_empty()
        );
        assert_eq!(words(&[("a", between("westeurope", "nowhere"))]), ["dangling"]);
        assert_eq!(words(&[("a", between("here", "here"))]), ["link"]);
        assert_eq!(words(&[("a", Link::default())]), ["link"]);
        let twice = [("a", between("here", "westeurope")), ("b", between("westeurope", "here"))];
        assert_eq!(words(&twice), ["link"]);
        let vpn = Link { kind: LinkKind::Vpn, ..between("here", "westeurope") };
        assert_eq!(words(&[("a", vpn)]), ["not-modelled"]);
        let sized = Link { sku: Some("large".to_owned()), ..between("here", "westeurope") };
        assert_eq!(words(&[("a", sized)]), ["not-modelled"]);
    }

    #[test]
    fn pairs_are_mutual_but_for_the_published_exceptions() {
        let paired = |sites: &[(&str, Option<&str>)]| -> usize {
            let site = |pair: Option<&str>| Site { pair: pair.map(str::to_owned), ..Site::default() };
            let sites = sites.iter().map(|(name, pair)| ((*name).to_owned(), site(*pair))).collect();
            check(&Blueprint { sites, ..Blueprint::default() }).len()
        };
        assert_eq!(paired(&[("a", Some("b")), ("b", Some("a"))]), 0);
        assert_eq!(paired(&[("a", Some("b")), ("b", None)]), 1);
        assert_eq!(paired(&[("a", Some("b")), ("b", Some("c")), ("c", Some("b"))]), 1);
        assert_eq!(paired(&[("a", Some("a"))]), 1);
        assert_eq!(paired(&[("a", Some("z"))]), 1);
        assert_eq!(paired(&[("brazilsouth", Some("southcentralus")), ("southcentralus", None)]), 0);
    }
}
