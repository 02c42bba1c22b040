//! The suite that every backend must hold to, in pods: the same facts, but for those that `tests/conformance/list.rs` says pods are not
//! asked for.

use std::sync::Arc;
use std::time::Duration;

use basis_sandbox::Backend;
use basis_sandbox::backends::{self, KubernetesOptions, Options};

/// Makes a test of each function.
macro_rules! suite {
    ($($module:ident: $($fact:ident)*;)*) => {
        $(mod $module {
            $(#[test]
            fn $fact() {
                super::super::on_a_cluster(stringify!($fact), crate::$module::$fact);
            })*
        })*
    };
}

mod facts {
    crate::list::facts!(suite);
}

/// Runs `check` in the real cluster that was named, or else in one of our own.
fn on_a_cluster(fact: &str, check: fn(&dyn Backend)) {
    if let Some(reason) = crate::list::elsewhere("kubernetes", fact) {
        eprintln!("skipped: {reason}");
        return;
    }
    if let Some(kubeconfig) = std::env::var_os("BASIS_TEST_KUBECONFIG") {
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
