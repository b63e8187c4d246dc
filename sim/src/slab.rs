//! Values that come and go by the million, without an allocation each.

/// Names a value in a [`Slab`]. A name is never given twice: one that outlived its value finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
}

/// Values by [`Key`], in places that are used again.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// Empty.
    pub fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts a value in.
    ///
    /// # Panics
    /// With four thousand million values in it.
    pub fn insert(&mut self, value: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).expect("far fewer values are under way at once")
        });
        let place = &mut self.places[index as usize];
        place.1 = Some(value);
        Key {
            index,
            generation: place.0,
        }
    }

    /// The value, if it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        let (generation, value) = self.places.get(key.index as usize)?;
        value.as_ref().filter(|_| *generation == key.generation)
    }

    /// The value, to change it.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (generation, value) = self.places.get_mut(key.index as usize)?;
        value.as_mut().filter(|_| *generation == key.generation)
    }

    /// Takes the value out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let (generation, value) = self.places.get_mut(key.index as usize)?;
        if *generation != key.generation {
            return None;
        }
        let taken = value.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(key.index);
        Some(taken)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_finds_nothing_in_a_place_that_is_used_again() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_eq!(second.index, first.index);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!((slab.get(second), slab.len()), (Some(&'b'), 1));
    }
}
