//! The embedded registry.
//!
//! For one process: tests, examples, and services that run together. Both builders get a clone of the same value.
//! Watchers see a change as soon as they run, and only what came of several. Nothing is held back: the registry is as alive as the
//! process is.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rpc_core::BuildError;
use tokio::sync::watch;

use crate::{
    Amendment, Fault, FaultKind, Filter, Instance, InstanceId, Place, Registration, Registry, Resolver,
    Scheme, Target, Update, Watch,
};

/// A registry inside the process. Cheap to clone; clones are the same registry.
///
/// Serves the targets `memory:///name`.
///
/// ```
/// use rpc_registry::{Instance, MemoryRegistry, Registry};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_registry::Fault> {
/// let memory = MemoryRegistry::new();
/// let mut registration = memory.announce("shop", &Instance::new("shop-1")).await?;
/// assert_eq!(memory.instances("shop").len(), 1);
/// registration.withdraw().await?;
/// assert!(memory.instances("shop").is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct MemoryRegistry(Arc<Mutex<Names>>);

#[derive(Default)]
struct Names {
    lists: HashMap<String, watch::Sender<List>>,
    announced: u64,
}

/// The instances of a name, by id, each with the number of the announcement that it is of.
type List = Arc<BTreeMap<InstanceId, (u64, Instance)>>;

impl MemoryRegistry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is announced under a name now, by id.
    pub fn instances(&self, name: &str) -> Vec<Instance> {
        let list = self.with(|names| names.lists.get(name).map(|list| Arc::clone(&list.borrow())));
        list.iter()
            .flat_map(|list| list.values())
            .map(|(_, instance)| instance.clone())
            .collect()
    }

    /// A resolver of a name.
    pub fn resolver_of(&self, name: &str) -> Arc<dyn Resolver> {
        Arc::new(Named {
            registry: self.clone(),
            name: name.to_owned(),
        })
    }

    fn with<R>(&self, f: impl FnOnce(&mut Names) -> R) -> R {
        // Nothing panics while it is held; what is in there is whole in any case.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, name: &str, f: impl FnOnce(&mut BTreeMap<InstanceId, (u64, Instance)>)) {
        self.with(|names| {
            let list = names.lists.entry(name.to_owned()).or_default();
            list.send_modify(|list| f(Arc::make_mut(list)));
            if list.borrow().is_empty() && list.receiver_count() == 0 {
                names.lists.remove(name);
            }
        });
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        let number = self.with(|names| {
            names.announced += 1;
            names.announced
        });
        self.change(name, |list| {
            list.insert(instance.id.clone(), (number, instance.clone()));
        });
        let (registry, name, id) = (self.clone(), name.to_owned(), instance.id.clone());
        Ok(Box::new(Announced {
            registry,
            name,
            id,
            number,
            written: instance.clone(),
        }))
    }

    async fn amend(&self, name: &str, id: &InstanceId, amendment: &Amendment) -> Result<(), Fault> {
        let mut amended = Err(Fault::lost(format!("there is no instance `{id}` of `{name}`")));
        self.change(name, |list| {
            if let Some((_, instance)) = list.get_mut(id) {
                let mut new = instance.clone();
                amended = amendment
                    .check_and_apply_as_operator(&mut new)
                    .map(|()| *instance = new);
            }
        });
        amended
    }

    /// Watchers run in this process: the time they need to be scheduled.
    fn notice(&self) -> Duration {
        Duration::from_millis(50)
    }
}

impl Scheme for MemoryRegistry {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn resolver(&self, target: &Target) -> Result<Arc<dyn Resolver>, BuildError> {
        check(target).map(|()| self.resolver_of(target.name()))
    }

    fn registry(&self, target: &Target) -> Result<Place, BuildError> {
        check(target).map(|()| Place::new(Arc::new(self.clone()), target.name()))
    }
}

fn check(target: &Target) -> Result<(), BuildError> {
    target.only_options(&Filter::OPTIONS)?;
    if !target.authority().is_empty() {
        return Err(target.error("the embedded registry has no host: write `memory:///shop`, with three `/`"));
    }
    if target.name().is_empty() {
        return Err(target.error("no name: write `memory:///shop`"));
    }
    Ok(())
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|names| {
            f.debug_map()
                .entries(names.lists.iter().map(|(name, list)| (name, list.borrow().len())))
                .finish()
        })
    }
}

struct Announced {
    registry: MemoryRegistry,
    name: String,
    id: InstanceId,
    number: u64,
    written: Instance,
}

#[async_trait]
impl Registration for Announced {
    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault> {
        if instance.id != self.id {
            let (old, new) = (&self.id, &instance.id);
            let text = format!("`id`: `{old}` was announced and cannot become `{new}`");
            return Err(Fault::new(FaultKind::Invalid, text));
        }
        let mut found = false;
        self.registry.change(&self.name, |list| {
            if let Some((number, known)) = list.get_mut(&self.id)
                && *number == self.number
            {
                found = true;
                *known = instance.clone();
            }
        });
        if !found {
            return Err(self.anew());
        }
        self.written = instance.clone();
        Ok(())
    }

    async fn verify(&mut self) -> Result<Option<Instance>, Fault> {
        let found = self.registry.with(|names| {
            let list = names.lists.get(&self.name)?.borrow();
            let (number, instance) = list.get(&self.id)?;
            if *number == self.number {
                return Some(Ok((*instance != self.written).then(|| instance.clone())));
            }
            let is_later = (instance.started_at, *number) > (self.written.started_at, self.number);
            is_later.then(|| {
                let id = &self.id;
                let text = format!("`{id}` was announced anew by somebody else, who started later");
                Err(Fault::superseded(text))
            })
        });
        found.unwrap_or_else(|| Err(self.anew()))
    }

    async fn withdraw(&mut self) -> Result<(), Fault> {
        self.take_out();
        Ok(())
    }
}

impl Announced {
    fn anew(&self) -> Fault {
        Fault::lost(format!(
            "`{}` was announced anew by somebody else, or taken out",
            self.id
        ))
    }

    fn take_out(&self) {
        self.registry.change(&self.name, |list| {
            // A later announcement of the same id is not ours to take out.
            if list
                .get(&self.id)
                .is_some_and(|(number, _)| *number == self.number)
            {
                list.remove(&self.id);
            }
        });
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.take_out();
    }
}

struct Named {
    registry: MemoryRegistry,
    name: String,
}

impl Resolver for Named {
    fn watch(&self) -> Box<dyn Watch> {
        let list = self
            .registry
            .with(|names| names.lists.entry(self.name.clone()).or_default().subscribe());
        Box::new(Watching {
            _registry: self.registry.clone(),
            list,
            seen: None,
        })
    }

    /// Somebody in this process has taken it out: nothing is forgotten here.
    fn is_deliberate(&self) -> bool {
        true
    }
}

struct Watching {
    /// What announces keeps the list alive; so does whoever watches.
    _registry: MemoryRegistry,
    list: watch::Receiver<List>,
    /// What was told last.
    seen: Option<List>,
}

#[async_trait]
impl Watch for Watching {
    async fn next(&mut self) -> Result<Update, Fault> {
        loop {
            if let Some(seen) = &self.seen {
                if self.list.changed().await.is_err() {
                    return Err(Fault::transient("the registry is gone"));
                }
                let list = Arc::clone(&self.list.borrow_and_update());
                let update = difference(seen, &list);
                self.seen = Some(list);
                if let Some(update) = update {
                    return Ok(update);
                }
            } else {
                let list = Arc::clone(&self.list.borrow_and_update());
                let all: Vec<_> = list.values().map(|(_, instance)| Ok(instance.clone())).collect();
                self.seen = Some(list);
                return Ok(if all.is_empty() {
                    Update::Absent
                } else {
                    Update::Snapshot(all)
                });
            }
        }
    }
}

/// What changed; `None` if nothing that a client can see.
fn difference(old: &List, new: &List) -> Option<Update> {
    if new.is_empty() {
        return (!old.is_empty()).then_some(Update::Absent);
    }
    let is_news = |id, instance| old.get(id).is_none_or(|(_, known)| known != instance);
    let put: Vec<_> = new
        .iter()
        .filter(|(id, (_, i))| is_news(*id, i))
        .map(|(_, (_, instance))| Ok(instance.clone()))
        .collect();
    let gone: Vec<_> = old.keys().filter(|id| !new.contains_key(*id)).cloned().collect();
    (!put.is_empty() || !gone.is_empty()).then_some(Update::Delta { put, gone })
}
