//! Values by number, where numbers are given out upwards.
//!
//! A sorted vector: a client of one endpoint keeps three of these, and the first leaf of a B-tree would have room for eleven
//! values in each. What is new has the highest number and goes to the end; looking up halves. Taking one out moves the
//! pointers behind it, which for ten thousand endpoints takes a few microseconds, and happens once in an endpoint's life.

/// Values by number, in ascending order. Each is in a box, so that room for more of them costs a pointer each.
#[derive(Debug)]
pub(crate) struct Numbered<T>(Vec<(u64, Box<T>)>);

impl<T> Numbered<T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let at = self.find(number).ok()?;
        Some(&self.0[at].1)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.find(number).ok()?;
        Some(&mut self.0[at].1)
    }

    /// What has this number; made first if nothing has.
    pub(crate) fn get_or_insert_with(&mut self, number: u64, make: impl FnOnce() -> T) -> &mut T {
        let at = self.find(number).unwrap_or_else(|at| {
            self.0.insert(at, (number, Box::new(make())));
            at
        });
        &mut self.0[at].1
    }

    pub(crate) fn remove(&mut self, number: u64) {
        if let Ok(at) = self.find(number) {
            self.0.remove(at);
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> + Clone {
        self.0.iter().map(|(number, value)| (*number, &**value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.0.iter_mut().map(|(number, value)| (*number, &mut **value))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, value)| value)
    }

    /// Where a number is, or would be.
    fn find(&self, number: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number)
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stand_in_order_however_they_come() {
        let mut numbered = Numbered::new();
        for number in [3, 1, 2, 3] {
            *numbered.get_or_insert_with(number, || 0) += number;
        }
        assert_eq!(
            numbered.iter().collect::<Vec<_>>(),
            [(1, &1), (2, &2), (3, &6)],
            "the one that was there already is the same"
        );
        numbered.remove(1);
        numbered.remove(7);
        assert_eq!((numbered.get(1), numbered.get(2)), (None, Some(&2)));
        numbered.retain(|value| *value != 2);
        assert_eq!(numbered.get_mut(3), Some(&mut 6));
        assert_eq!(numbered.len(), 1);
    }
}
