//! The suite that every backend must hold to, in pods: the same facts, but for those that `tests/conformance/list.rs` says pods are not
//! asked for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use basis_sandbox::Backend;
use basis_sandbox::backends::{self, KubernetesOptions, Options};

use crate::list::ALL;
use crate::verdicts::{self, Verdict, Verdicts};

const KUBECONFIG: &str = "BASIS_TEST_KUBECONFIG";

/// Makes a test of each function.
macro_rules! suite {
    ($($module:ident: $($fact:ident)*;)*) => {
        $(mod $module {
            $(#[test]
            fn $fact() {
                super::super::hold(stringify!($fact));
            })*
        })*
    };
}

mod facts {
    crate::list::facts!(suite);
}

#[test]
fn the_reference_says_what_holds_in_pods() {
    let real = std::env::var_os(KUBECONFIG).is_some();
    if !real && !crate::has_containers() {
        return;
    }
    let cell = |fact: &crate::list::Fact| match verdict(fact.name) {
        Ok(verdict) => verdict,
        Err(message) => panic!("pods do not hold to {}: {message}", fact.name),
    };
    let column = if real { "kubernetes, real nodes" } else { "kubernetes, node of the tests" };
    verdicts::table().compare([(column.to_owned(), ALL.iter().map(cell).collect())].into());
}

fn hold(fact: &str) {
    match verdict(fact) {
        Ok(verdict) if verdict == verdicts::HELD => {}
        Ok(verdict) => eprintln!("{verdict}"),
        Err(message) => panic!("{message}"),
    }
}

fn verdict(fact: &str) -> Verdict {
    static VERDICTS: OnceLock<Verdicts> = OnceLock::new();
    VERDICTS.get_or_init(Verdicts::new).of(fact, "kubernetes", &on_a_cluster)
}

/// Runs `check` in the real cluster that was named, or else in one of our own.
fn on_a_cluster(check: fn(&dyn Backend)) {
    if let Some(kubeconfig) = std::env::var_os(KUBECONFIG) {
        let image =
            std::env::var("BASIS_TEST_IMAGE").expect("BASIS_TEST_IMAGE names an image for BASIS_TEST_KUBECONFIG");
        let namespace = std::env::var("BASIS_TEST_NAMESPACE").unwrap_or_else(|_| "basis".into());
        let kubernetes = KubernetesOptions {
            kubeconfig: Some(kubeconfig.into()),
            image,
            namespace,
            start: Duration::from_secs(300),
            ..KubernetesOptions::default()
        };
        let backend: Arc<dyn Backend> =
            backends::open_with("kubernetes", &Options { kubernetes, ..Options::default() }).expect("opened");
        return check(backend.as_ref());
    }
    if let Some(cluster) = crate::start() {
        check(crate::open(&cluster).as_ref());
    }
}
