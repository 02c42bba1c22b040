//! Which clusters are refused, and in what words.

use basis_sandbox::backends::{self, Options};

use crate::cluster::{Cluster, Fault};
use crate::{open, options, refused};

fn changed(cluster: &Cluster, change: impl FnOnce(&mut Options)) -> Options {
    let mut options = options(cluster);
    change(&mut options);
    options
}

#[test]
fn a_cluster_that_cannot_be_used_is_refused_with_a_next_step() {
    let cluster = Cluster::start();
    let mut said = Vec::new();
    let mut say = |what: &str, options: &Options| {
        let text = refused(options).to_string().replace(&cluster.directory.path().display().to_string(), "DIR");
        said.push(format!("{what}: {text}"));
    };
    say("no image", &changed(&cluster, |options| options.kubernetes.image = String::new()));
    say("no such file", &changed(&cluster, |options| options.kubernetes.kubeconfig = Some("/no/such/file".into())));
    std::fs::write(cluster.directory.path().join("broken"), "clusters: [").expect("written");
    say(
        "not a kubeconfig",
        &changed(&cluster, |options| options.kubernetes.kubeconfig = Some(cluster.directory.path().join("broken"))),
    );
    say("no such context", &changed(&cluster, |options| options.kubernetes.context = Some("two".into())));
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
        let nothing = refused(&changed(&cluster, |options| options.kubernetes.kubeconfig = None)).to_string();
        assert!(nothing.contains("there is no kubeconfig and this is no pod of a cluster"), "{nothing}");
    }
    say(
        "wrong password",
        &changed(&cluster, |options| options.kubernetes.kubeconfig = Some(cluster.kubeconfig("wrong"))),
    );
    say("no such namespace, so no policy", &changed(&cluster, |options| options.kubernetes.namespace = "other".into()));
    cluster.state.store.lock().expect("not poisoned").forbidden = vec!["list networkpolicies"];
    say("may not list policies", &options(&cluster));
    cluster.state.store.lock().expect("not poisoned").forbidden = vec!["create configmaps"];
    say("may not make the object of a run", &options(&cluster));
    cluster.state.store.lock().expect("not poisoned").forbidden.clear();
    cluster.state.store.lock().expect("not poisoned").minor = "29";
    say("too old", &options(&cluster));
    cluster.state.store.lock().expect("not poisoned").minor = "36";
    cluster.state.change(|store| store.remove("networkpolicies", "basis", "isolated"));
    say("no policy", &options(&cluster));
    insta::assert_snapshot!(said.join("\n"));
    assert!(cluster.objects("configmaps").is_empty(), "nothing half-made");
}

#[test]
fn a_cluster_that_is_down_is_refused_with_its_address() {
    let cluster = Cluster::start();
    let options = options(&cluster);
    let path = options.kubernetes.kubeconfig.clone().expect("a file");
    let text = std::fs::read_to_string(&path).expect("read");
    drop(cluster);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    std::fs::write(&path, text).expect("written");
    let said = refused(&options).to_string();
    std::fs::remove_dir_all(path.parent().expect("a parent")).expect("removed");
    assert!(said.starts_with("backend `kubernetes` is not available: the cluster does not answer"), "{said}");
    assert!(said.contains("Connection refused") && said.contains("kubectl version"), "{said}");
}

#[test]
fn a_cluster_that_is_busy_for_a_moment_is_asked_again() {
    let cluster = Cluster::start();
    cluster.fault(Fault::answer(
        "GET",
        "/version",
        429,
        "TooManyRequests",
        "the server has received too many requests",
    ));
    cluster.fault(Fault::answer("GET", "networkpolicies", 500, "InternalError", "etcdserver: request timed out"));
    cluster.fault(Fault::answer("POST", "configmaps", 503, "ServiceUnavailable", "apiserver is shutting down"));
    let backend = open(&cluster);
    assert_eq!(cluster.objects("configmaps").len(), 1);
    drop(backend);
    cluster.eventually("configmaps", |maps| maps.is_empty());
}

#[test]
fn a_lost_answer_does_not_make_a_second_object() {
    let cluster = Cluster::start();
    cluster.fault(Fault { method: "POST", address: "configmaps", effect: crate::cluster::Effect::Lost });
    let _backend = open(&cluster);
    assert_eq!(cluster.objects("configmaps").len(), 1);
}

#[test]
fn what_a_dead_controller_left_is_swept_away() {
    let cluster = Cluster::start();
    let map = |name: &str, run: &str, expires: u64| {
        serde_json::json!({ "metadata": {
            "name": name,
            "labels": { "app.kubernetes.io/managed-by": "basis", "basis/run": run },
            "annotations": { "basis/expires": expires.to_string() },
        } })
    };
    cluster.state.change(|store| {
        store.create("configmaps", "basis", map("dead", "1", 1000)).expect("made");
        store.create("configmaps", "basis", map("alive", "2", 1 << 40)).expect("made");
    });
    let _backend = open(&cluster);
    let names: Vec<String> =
        cluster.objects("configmaps").iter().map(|map| map["metadata"]["name"].to_string()).collect();
    assert!(names.contains(&"\"alive\"".into()) && !names.contains(&"\"dead\"".into()), "{names:?}");
}

#[test]
fn runs_are_listed_and_only_those_of_dead_controllers_are_collected() {
    let cluster = Cluster::start();
    let _backend = open(&cluster);
    let labels = serde_json::json!({ "app.kubernetes.io/managed-by": "basis", "basis/run": "1" });
    cluster.state.change(|store| {
        let map = serde_json::json!({ "metadata": {
            "name": "dead", "labels": labels, "annotations": { "basis/expires": "1000" },
        } });
        store.create("configmaps", "basis", map).expect("made");
        let pod = serde_json::json!({ "metadata": { "name": "stays", "labels": labels }, "spec": {} });
        store.create("pods", "basis", pod).expect("made");
    });
    let options = options(&cluster);
    let all = backends::holdings(&options);
    let (_, found) = all.into_iter().find(|(name, _)| *name == "kubernetes").expect("surveyed");
    let (left, held): (Vec<_>, Vec<_>) = found.expect("listed").into_iter().partition(|holding| holding.is_left);
    assert_eq!((left.len(), held.len()), (1, 1));
    assert_eq!(left[0].remains, ["pod stays", "configmap dead"]);
    let refused = backends::collect(&held[0], &options).expect_err("refused").to_string();
    assert!(refused.contains("its controller is alive"), "{refused}");
    backends::collect(&left[0], &options).expect("collected");
    backends::collect(&left[0], &options).expect("twice is fine");
    let names: Vec<_> = cluster.objects("configmaps").iter().map(|map| map["metadata"]["name"].clone()).collect();
    assert_eq!(names, [held[0].name.as_str()]);
    cluster.eventually("pods", |pods| pods.is_empty());
    let unused = backends::holdings(&Options::default());
    assert!(unused.into_iter().any(|(name, found)| name == "kubernetes" && found.is_ok_and(|found| found.is_empty())));
}
