//! How much slower or faster machines are, in the logarithm, learnt from the steps they share.

use crate::scan::Name;

/// Machines that are told apart; later ones count as unknown.
const MOST: usize = 1000;

/// One surprise moves an offset by at most this: a factor of e.
const SURPRISE: f64 = 1.0;

/// An offset with the number of attempts behind it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Offset {
    value: f64,
    n: f64,
}

impl Offset {
    /// Moves by a share of the surprise: as a mean of `prior` zeros and all surprises, later as one that forgets.
    fn learn(&mut self, surprise: f64, prior: f64, memory: f64) {
        self.n += 1.0;
        self.value += surprise.clamp(-SURPRISE, SURPRISE) / (self.n + prior).min(memory);
    }
}

/// The offsets of machines over all steps; each step keeps [`Own`] ones above them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machines {
    /// Sorted by name: a search among a few beats hashing.
    shared: Vec<(Name, Offset)>,
}

/// One step's own offsets above the shared ones, by machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own<T> {
    known: Vec<(Name, Offset, T)>,
}

/// Machines of which a step keeps its own offsets; of later ones only the shared offset counts.
const OWN_MOST: usize = 64;

impl<T: Default> Own<T> {
    /// Returns what else is kept by machine.
    pub fn get(&self, machine: Option<Name>) -> Option<&T> {
        self.known.iter().find(|(name, ..)| Some(*name) == machine).map(|(.., kept)| kept)
    }

    /// Returns what else is kept by machine, new or known; `None` without a machine, or past the bound.
    pub fn entry(&mut self, machine: Option<Name>) -> Option<&mut (Name, Offset, T)> {
        let machine = machine?;
        let place = self.known.iter().position(|(name, ..)| *name == machine).or_else(|| {
            (self.known.len() < OWN_MOST).then(|| {
                // Most steps know one machine, and there are many steps.
                self.known.reserve_exact(usize::from(self.known.is_empty()));
                self.known.push((machine, Offset::default(), T::default()));
                self.known.len() - 1
            })
        })?;
        self.known.get_mut(place)
    }

    /// Returns whether attempts on `machine` can be compared with attempts on another one.
    pub fn differ(&self, machine: Option<Name>) -> bool {
        machine.is_some() && (self.known.len() > 1 || self.get(machine).is_none())
    }

    fn offset(&self, machine: Name) -> f64 {
        self.known.iter().find(|(name, ..)| *name == machine).map_or(0.0, |(_, offset, _)| offset.value)
    }
}

impl Machines {
    /// Returns how much longer a step takes on a machine than on none in particular, in the logarithm.
    pub fn offset<T: Default>(&self, own: &Own<T>, machine: Option<Name>) -> f64 {
        let Some(machine) = machine else { return 0.0 };
        let shared = self.place(machine).map_or(0.0, |place| self.shared[place].1.value);
        shared + own.offset(machine)
    }

    fn place(&self, machine: Name) -> Result<usize, usize> {
        self.shared.binary_search_by_key(&machine, |(name, _)| *name)
    }

    /// Learns that an attempt took `surprise` longer than the step's level with the machine's offset.
    ///
    /// A stochastic backfit of log-duration = step + machine + (step, machine), the last two shrunk towards 0.
    pub fn learn<T: Default>(&mut self, own: &mut Own<T>, machine: Option<Name>, surprise: f64) {
        let Some(name) = machine else { return };
        let place = self.place(name).or_else(|place| {
            let has_room = self.shared.len() < MOST;
            has_room.then(|| self.shared.insert(place, (name, Offset::default()))).map(|()| place).ok_or(place)
        });
        if let Ok(place) = place {
            self.shared[place].1.learn(surprise, 10.0, 500.0);
        }
        if let Some((_, offset, _)) = own.entry(machine) {
            offset.learn(surprise, 4.0, 25.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_found_and_bounded() {
        let (mut machines, mut own) = (Machines::default(), Own::<()>::default());
        let slow = Some(Name(7));
        for _ in 0..200 {
            let surprise = 0.5 - machines.offset(&own, slow);
            machines.learn(&mut own, slow, surprise);
        }
        assert!((machines.offset(&own, slow) - 0.5).abs() < 0.01);
        let other = Own::<()>::default();
        assert!(machines.offset(&other, slow) > 0.1, "another step profits");
        assert!(machines.offset(&own, None).abs() < 1e-12);
        for name in 0..5000 {
            machines.learn(&mut own, Some(Name(name)), 1.0);
        }
        assert_eq!((machines.shared.len(), own.known.len()), (MOST, OWN_MOST));
    }
}
