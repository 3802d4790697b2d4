//! First in, first out, with one queue `default`.
//!
//! Applications are served in the order of their ids. Within an application the app master comes first, then
//! the asks by priority, then by key. Memory and virtual cores both count. A priority that got no container
//! blocks the less important ones of the same application. Of the nodes that fit, the scheduler takes the one
//! with most free memory, then with most free cores, then the first by name. So containers spread over the nodes.
//!
//! These rules prevent a deadlock between waiting applications:
//!
//! - App masters hold at most a share of the cluster, as with YARN's `maximum-am-resource-percent`. One
//!   app master is always admitted.
//! - The *head* is the oldest application with a waiting ask for which some node is large enough. These
//!   nodes are closed for the asks of younger applications.
//! - No app master starts on a node that is large enough for a waiting ask or a waiting app master of an
//!   older application.
//! - If the head still waits, younger applications give way: see [`super::GiveWay`].

use super::{
    AppMasters, Demand, DemandKey, GiveWay, Placement, Scheduler, SchedulingPlan, Shortage,
    Snapshot, WaitReason, Waiting, give_way,
    rooms::{Rooms, Shortages},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};
use weir_base::{ApplicationId, AttemptId, NodeId, Resources, Share};

/// The only queue.
pub const QUEUE: &str = "default";

/// The FIFO scheduler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fifo {
    app_master_share: Share,
}

impl Fifo {
    /// `app_master_share`: the share of the cluster that app masters may hold.
    pub fn new(app_master_share: Share) -> Self {
        Self { app_master_share }
    }
}

impl Scheduler for Fifo {
    fn plan(&self, snapshot: &Snapshot) -> SchedulingPlan {
        let pass = Pass::run(snapshot, self.app_master_share);
        let mut shortages = Shortages::new(snapshot, &pass.rooms);
        let waiting = pass.waiting.iter().map(|unplaced| Waiting {
            attempt: unplaced.demand.attempt,
            key: unplaced.demand.key,
            reason: WaitReason {
                needs: unplaced.demand.resources,
                shortage: pass.why(unplaced, &mut shortages),
                position: unplaced.position,
                queue: QUEUE.to_owned(),
            },
        });
        SchedulingPlan {
            waiting: waiting.collect(),
            placements: pass.placements,
            head: pass.head.map(|head| head.attempt),
        }
    }

    fn give_way(&self, snapshot: &Snapshot) -> Option<GiveWay> {
        let pass = Pass::run(snapshot, self.app_master_share);
        let head = pass.head.as_ref()?.attempt;
        let wants: Vec<_> = pass.waiting.iter().filter(|one| one.demand.attempt == head).collect();
        let wants: Vec<(Resources, u64)> = wants
            .iter()
            .filter(|one| matches!(one.obstacle, Obstacle::Room))
            .map(|one| (one.demand.resources, one.missing))
            .collect();
        let waits = |one: &&Unplaced| matches!(one.demand.key, DemandKey::Ask(_));
        let waiting = pass.waiting.iter().filter(waits).map(|one| one.demand.attempt);
        let younger = waiting.filter(|one| one.application > head.application).collect();
        give_way::choose(snapshot, &wants, &younger).map(|younger| GiveWay { to: head, younger })
    }
}

/// A demand that waits.
struct Unplaced<'a> {
    demand: &'a Demand,
    missing: u64,
    obstacle: Obstacle,
    /// Position of its application among the waiting ones, from 1.
    position: usize,
}

/// Why a demand is not placed.
#[derive(Clone, Copy)]
enum Obstacle {
    /// No allowed node has room.
    Room,
    /// A more important ask of the same application waits.
    Priority(u32),
    /// App masters hold their share. The value is the state when this demand was checked.
    Share(AppMasters),
    /// An older app master waits for the share.
    OlderAppMaster(ApplicationId),
}

/// The oldest waiting application for which some node is large enough.
struct Head {
    attempt: AttemptId,
    /// The nodes that are large enough.
    nodes: Rc<BTreeSet<NodeId>>,
}

/// One pass over all demands.
struct Pass<'a> {
    snapshot: &'a Snapshot,
    rooms: Rooms,
    app_masters: AppMasters,
    /// The maximum resources of all app masters.
    allowed: Resources,
    share: Share,
    placements: Vec<Placement>,
    waiting: Vec<Unplaced<'a>>,
    head: Option<Head>,
    /// Nodes on which no app master starts.
    kept: BTreeSet<NodeId>,
    /// The first application for which nodes were kept.
    kept_for: Option<ApplicationId>,
    /// The first application whose app master waits for the share.
    share_waits: Option<ApplicationId>,
}

impl<'a> Pass<'a> {
    fn run(snapshot: &'a Snapshot, share: Share) -> Self {
        let total = snapshot.nodes.iter().map(|node| node.total);
        let total = total.fold(Resources::default(), Resources::saturating_add);
        let vcores = share.of(u64::from(total.vcores));
        let mut pass = Self {
            snapshot,
            rooms: Rooms::free(&snapshot.nodes),
            app_masters: snapshot.app_masters,
            allowed: Resources {
                memory_mib: share.of(total.memory_mib),
                vcores: u32::try_from(vcores).unwrap_or(u32::MAX),
            },
            share,
            placements: Vec::new(),
            waiting: Vec::new(),
            head: None,
            kept: BTreeSet::new(),
            kept_for: None,
            share_waits: None,
        };
        pass.place_all();
        pass
    }

    fn place_all(&mut self) {
        let mut position = 0;
        let same_application =
            |a: &Demand, b: &Demand| a.attempt.application == b.attempt.application;
        for demands in self.snapshot.demands.chunk_by(same_application) {
            let before = self.waiting.len();
            match demands {
                [demand] if demand.key == DemandKey::AppMaster => self.place_app_master(demand),
                _ => self.place_asks(demands),
            }
            position += usize::from(self.waiting.len() > before);
            for unplaced in &mut self.waiting[before..] {
                unplaced.position = position;
            }
        }
    }

    fn place_app_master(&mut self, demand: &'a Demand) {
        let application = demand.attempt.application;
        let held = self.app_masters;
        let with_it = held.resources.saturating_add(demand.resources);
        if held.count > 0 && !with_it.fits_in(self.allowed) {
            self.share_waits.get_or_insert(application);
            return self.wait(demand, demand.missing, Obstacle::Share(held));
        }
        if let Some(older) = self.share_waits {
            return self.wait(demand, demand.missing, Obstacle::OlderAppMaster(older));
        }
        let Some(node) = self.rooms.take(demand.resources, &self.kept) else {
            if self.kept.len() < self.snapshot.nodes.len() {
                self.keep_for(&[demand]);
            }
            return self.wait(demand, demand.missing, Obstacle::Room);
        };
        self.app_masters = AppMasters { count: held.count + 1, resources: with_it };
        self.put(demand, node);
    }

    fn place_asks(&mut self, demands: &'a [Demand]) {
        let before = self.waiting.len();
        let closed = self.head.as_ref().map(|head| Rc::clone(&head.nodes)).unwrap_or_default();
        let mut blocked_by = None;
        for priority in demands.chunk_by(|a, b| a.priority == b.priority) {
            let placed_before = self.placements.len();
            for demand in priority {
                let mut missing = demand.missing;
                while blocked_by.is_none() && missing > 0 {
                    let Some(node) = self.rooms.take(demand.resources, &closed) else { break };
                    self.put(demand, node);
                    missing -= 1;
                }
                if missing > 0 {
                    let obstacle = blocked_by.map_or(Obstacle::Room, Obstacle::Priority);
                    self.wait(demand, missing, obstacle);
                }
            }
            let wanted = priority.iter().any(|demand| demand.missing > 0);
            if wanted && self.placements.len() == placed_before && blocked_by.is_none() {
                blocked_by = priority.first().map(|demand| demand.priority);
            }
        }
        self.keep_for_asks(before);
    }

    /// Keeps the nodes that are large enough for the waiting asks of an application.
    fn keep_for_asks(&mut self, first: usize) {
        let for_room = |one: &&Unplaced| matches!(one.obstacle, Obstacle::Room);
        let waiting: Vec<&Demand> =
            self.waiting[first..].iter().filter(for_room).map(|one| one.demand).collect();
        let Some(attempt) = waiting.first().map(|demand| demand.attempt) else { return };
        let nodes = self.keep_for(&waiting);
        if self.head.is_none() && !nodes.is_empty() {
            self.head = Some(Head { attempt, nodes: Rc::new(nodes) });
        }
    }

    /// Closes the nodes that are large enough for these demands to younger app masters.
    fn keep_for(&mut self, waiting: &[&Demand]) -> BTreeSet<NodeId> {
        if self.head.is_some() && self.kept.len() >= self.snapshot.nodes.len() {
            return BTreeSet::new();
        }
        let nodes = waiting.iter().flat_map(|demand| self.nodes_for(demand));
        let nodes: BTreeSet<NodeId> = nodes.collect();
        if let Some(first) = waiting.first().filter(|_| !nodes.is_empty()) {
            self.kept_for.get_or_insert(first.attempt.application);
            self.kept.extend(nodes.iter().cloned());
        }
        nodes
    }

    /// Nodes that are large enough for a demand if only the containers of its own attempt ran there.
    fn nodes_for(&self, demand: &Demand) -> BTreeSet<NodeId> {
        let mut own: BTreeMap<&NodeId, Resources> = BTreeMap::new();
        let mut add = |node, resources| {
            let sum: &mut Resources = own.entry(node).or_default();
            *sum = sum.saturating_add(resources);
        };
        let holdings = &self.snapshot.holdings;
        let from = holdings.partition_point(|one| one.attempt < demand.attempt);
        let held = holdings[from..].iter().take_while(|one| one.attempt == demand.attempt);
        held.for_each(|one| add(&one.node, one.resources));
        let placed = self.placements.iter().filter(|one| one.attempt == demand.attempt);
        placed.for_each(|one| add(&one.node, one.resources));
        let could_hold = |node: &&super::NodeRoom| {
            let own = own.get(&node.node).copied().unwrap_or_default();
            demand.resources.fits_in(node.total.saturating_sub(own))
        };
        let nodes = self.snapshot.nodes.iter().filter(could_hold);
        nodes.map(|node| node.node.clone()).collect()
    }

    fn put(&mut self, demand: &Demand, node: NodeId) {
        let Demand { attempt, key, resources, .. } = *demand;
        self.placements.push(Placement { attempt, key, node, resources });
    }

    fn wait(&mut self, demand: &'a Demand, missing: u64, obstacle: Obstacle) {
        self.waiting.push(Unplaced { demand, missing, obstacle, position: 0 });
    }

    fn why(&self, unplaced: &Unplaced, shortages: &mut Shortages) -> Shortage {
        let needs = unplaced.demand.resources;
        let older = match unplaced.demand.key {
            DemandKey::AppMaster => self.kept_for,
            DemandKey::Ask(_) => self.head.as_ref().map(|head| head.attempt.application),
        };
        match (unplaced.obstacle, older) {
            (Obstacle::Priority(priority), _) => Shortage::BehindPriority(priority),
            (Obstacle::Share(held), _) => Shortage::AppMasterShare {
                held: held.resources,
                allowed: self.allowed,
                is_memory: held.resources.vcores.saturating_add(needs.vcores)
                    <= self.allowed.vcores,
                share: self.share,
            },
            (Obstacle::OlderAppMaster(older), _) => Shortage::BehindApplication(older),
            (Obstacle::Room, Some(older)) if self.rooms.has(needs) => {
                Shortage::BehindApplication(older)
            }
            (Obstacle::Room, _) => shortages.of(needs),
        }
    }
}
