//! What the cluster says of the pods of this run: one watch for all of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use super::cause::{self, Start};

/// The last that was heard of a pod.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// It exists.
    There(Arc<Pod>),
    /// It existed, and this was its last state.
    Gone(Arc<Pod>),
}

impl Seen {
    /// The pod as it is or was.
    pub(super) fn pod(&self) -> &Pod {
        match self {
            Self::There(pod) | Self::Gone(pod) => pod,
        }
    }
}

/// All pods of this run that someone waits for.
pub(super) struct Pods {
    seen: Mutex<HashMap<String, Seen>>,
    /// Images that waiting is in vain for, by pod: nodes say so once and then only that they try again.
    images: Mutex<HashMap<String, String>>,
    /// Counts changes, so that none is missed between looking and waiting.
    changes: watch::Sender<u64>,
}

impl Pods {
    /// Nothing is known yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), images: Mutex::default(), changes: watch::Sender::new(0) })
    }

    /// Listens until the runtime ends. A watch that breaks or is too old begins again by itself.
    pub(super) async fn follow(self: Arc<Self>, api: Api<Pod>, selector: String) {
        let mut events = watcher(api, watcher::Config::default().labels(&selector)).default_backoff().boxed();
        // Known before a list was asked for; those that it then lacks are gone.
        let mut unconfirmed = HashSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(pod)) => self.put(pod),
                Ok(Event::Delete(pod)) => self.end(&pod.name_any(), Some(pod)),
                Ok(Event::Init) => unconfirmed = self.seen.lock().expect("never poisoned").keys().cloned().collect(),
                Ok(Event::InitApply(pod)) => {
                    unconfirmed.remove(&pod.name_any());
                    self.put(pod);
                }
                Ok(Event::InitDone) => unconfirmed.drain().for_each(|name| self.end(&name, None)),
                // It is tried again, later and later; who waits has a limit of time.
                Err(_) => {}
            }
        }
    }

    /// Waits from now on for news of a pod that was just made.
    pub(super) fn expect(&self, pod: Pod) {
        let mut seen = self.seen.lock().expect("never poisoned");
        seen.entry(pod.name_any()).or_insert_with(|| Seen::There(Arc::new(pod)));
    }

    /// Nobody asks for this pod any more.
    pub(super) fn forget(&self, name: &str) {
        self.seen.lock().expect("never poisoned").remove(name);
        self.images.lock().expect("never poisoned").remove(name);
    }

    /// Why the image of a pod will never come, if a node said so.
    pub(super) fn image_failure(&self, name: &str) -> Option<String> {
        self.images.lock().expect("never poisoned").get(name).cloned()
    }

    /// The last that was heard of a pod that is waited for.
    pub(super) fn get(&self, name: &str) -> Option<Seen> {
        self.seen.lock().expect("never poisoned").get(name).cloned()
    }

    /// Waits until `judge` has an opinion. Never ends by itself.
    pub(super) async fn until<T>(&self, name: &str, judge: impl Fn(&Seen) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(opinion) = self.get(name).as_ref().and_then(&judge) {
                return opinion;
            }
            changes.changed().await.expect("the sender is in this object");
        }
    }

    fn put(&self, pod: Pod) {
        let name = pod.name_any();
        let seen = Seen::There(Arc::new(pod));
        if let Start::Image { reason, hopeless: true } = cause::start(&seen) {
            self.images.lock().expect("never poisoned").insert(name.clone(), reason);
        }
        // It may be heard of before the answer to the call that made it.
        self.seen.lock().expect("never poisoned").insert(name, seen);
        self.changes.send_modify(|count| *count += 1);
    }

    fn end(&self, name: &str, last: Option<Pod>) {
        let mut all = self.seen.lock().expect("never poisoned");
        let known = all.get(name).map(|seen| Arc::new(seen.pod().clone()));
        if let Some(last) = last.map(Arc::new).or(known) {
            all.insert(name.into(), Seen::Gone(last));
        }
        drop(all);
        self.changes.send_modify(|count| *count += 1);
    }
}
