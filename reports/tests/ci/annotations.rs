//! Annotations: the lines that GitHub and Azure read, as they read them.

use beaufort_reports::ci::{Host, annotations, host, upload_summary};
use beaufort_reports::{Results, Verdict};

use crate::assert_harmless;
use crate::fixture::{document, failing, hostile, one_of_each, seed};

#[test]
fn the_host_is_known_by_its_environment() {
    let env = |set: &'static [(&'static str, &'static str)]| {
        move |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    assert_eq!(host(env(&[("GITHUB_ACTIONS", "true")])), Some(Host::GitHub));
    assert_eq!(host(env(&[("TF_BUILD", "True")])), Some(Host::Azure));
    assert_eq!(host(env(&[("GITHUB_ACTIONS", ""), ("CI", "true")])), None);
}

#[test]
fn github_gets_the_file_the_line_and_the_command() {
    let lines = annotations(&[failing()], Host::GitHub);
    assert_eq!(lines.len(), 2);
    let expected = "::error file=scenarios/order-flow.yaml,line=212,\
        title=order-flow/ack-first%3A contract/charged-once::\
        violated on 2 of 3 seeds: 24 lost of 179,748 items (seeds 2, 3)\
        %0ARun it again: beaufort run order-flow --variant ack-first --seed 2";
    assert_eq!(lines[0], expected);
}

#[test]
fn azure_gets_the_same_in_its_own_way() {
    let lines = annotations(&[failing()], Host::Azure);
    let expected = "##vso[task.logissue type=error;sourcepath=scenarios/order-flow.yaml;linenumber=230;]\
        order-flow/ack-first: objective/zone-recovery: \
        missed on 2 of 3 seeds: 5.0m instead of below 90s (seeds 2, 3)\
        %0ARun it again: beaufort run order-flow --variant ack-first --seed 2";
    assert_eq!(lines[1], expected);
}

#[test]
fn degraded_is_done_with_issues_on_azure_unless_something_is_worse() {
    let slow = || document("slow", vec![seed(1, Verdict::Degraded)]);
    let lines = annotations(&[document("base", vec![seed(1, Verdict::Pass)]), slow()], Host::Azure);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("##vso[task.logissue type=warning;"), "{lines:?}");
    assert!(lines[1].starts_with("##vso[task.complete result=SucceededWithIssues;]"), "{lines:?}");
    for lines in [annotations(&[slow(), failing()], Host::Azure), annotations(&[slow()], Host::GitHub)] {
        assert!(lines.iter().all(|line| !line.contains("task.complete")), "{lines:?}");
    }
}

#[test]
fn nine_are_shown_the_worst_first_and_the_others_counted() {
    let mut all = one_of_each();
    all.extend((0..4).map(|number| Results { variant: format!("v{number}"), ..failing() }));
    for host in [Host::GitHub, Host::Azure] {
        let lines = annotations(&all, host);
        assert_eq!(lines.len(), 10);
        assert!(lines[0].contains("leaky: books") || lines[0].contains("leaky%3A books"), "{}", lines[0]);
        assert!(lines[9].contains("and 4 more"), "{}", lines[9]);
        let errors = lines.iter().filter(|line| line.contains("error")).count();
        assert_eq!(errors, 10, "five documents fail twice and one has an error: {lines:#?}");
    }
    assert_eq!(annotations(&[], Host::GitHub), Vec::<String>::new());
}

#[test]
fn hostile_names_stay_within_their_property() {
    let github = annotations(&[hostile()], Host::GitHub);
    let azure = annotations(&[hostile()], Host::Azure);
    assert_eq!((github.len(), azure.len()), (3, 3));
    for line in github.iter().chain(&azure) {
        assert!(!line.contains('\n') && !line.contains('\r'), "{line}");
        assert_harmless(&line.replacen("##vso[task.logissue", "", 1));
    }
    for line in &github {
        let properties = line.strip_prefix("::error ").unwrap().split("::").next().unwrap();
        let names: Vec<&str> = properties.split(',').filter_map(|pair| pair.split('=').next()).collect();
        assert_eq!(names, ["file", "line", "title"], "{line}");
    }
    for line in &azure {
        let properties = line.strip_prefix("##vso[task.logissue ").unwrap().split(']').next().unwrap();
        let names: Vec<&str> = properties.split_terminator(';').filter_map(|p| p.split('=').next()).collect();
        assert_eq!(names, ["type", "sourcepath", "linenumber"], "{line}");
        assert!(!line[5..].contains("##vso["), "{line}");
    }
}

#[test]
fn a_summary_is_uploaded_by_a_line_of_its_own() {
    let line = upload_summary("/agent/50%\nx.md");
    assert_eq!(line, "##vso[task.uploadsummary]/agent/50%AZP25%0Ax.md");
}
