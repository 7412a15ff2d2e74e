//! The deserializers of what is in the tree as it is: values, lists and keys.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;

use super::Fields;
use super::error::Error;
use super::view::{Members, Tag, Variant, View};
use crate::scenario::KIND_TAGGED;
use crate::scenario::steps::item_segment;
use crate::scenario::tree::{Kind, Tree};

/// The deserializer of a value as it was written.
pub(super) struct Value<'de>(pub(super) &'de Tree);

impl<'de> Value<'de> {
    fn view(self) -> Option<View<'de, 'static>> {
        self.0.entries().map(|entries| View {
            entries,
            head: self.0.head(),
            tag: Tag::None,
            taken: Vec::new(),
            part: None,
        })
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Kind::Int(value, _) = self.0.kind else {
            return Err(Error::mismatch(self.0, &visitor).at(self.0.span));
        };
        visit_int(value, visitor).map_err(|e| e.at(self.0.span))
    }

    fn words<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.as_text() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(items) = self.0.items() else {
            return Err(Error::mismatch(self.0, &visitor).at(self.0.head()));
        };
        let mut access = Items { items, next: 0 };
        let value = visitor.visit_seq(&mut access);
        match value {
            Ok(value) if access.next >= items.len() => Ok(value),
            Ok(_) => Err(Error::new("this list is too long").at(items[access.next].head())),
            Err(e) => Err(e.at(self.0.span)),
        }
    }
}

fn visit_int<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, Error> {
    if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else {
        Err(Error::new(format!("the number `{value}` is too large")))
    }
}

impl<'de> de::Deserializer<'de> for Value<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let span = self.0.span;
        match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value, _) => visitor.visit_bool(*value),
            Kind::Int(value, _) => visit_int(*value, visitor),
            Kind::Float(value, _) => visitor.visit_f64(*value),
            Kind::Str(text) => visitor.visit_borrowed_str(text),
            Kind::Seq(_) => return self.list(visitor),
            Kind::Map(_) => return self.deserialize_map(visitor),
        }
        .map_err(|e: Error| e.at(span))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            Kind::Bool(value, _) => visitor.visit_bool(value),
            _ => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            Kind::Float(value, _) => visitor.visit_f64(value),
            Kind::Int(value, _) => visitor.visit_f64(value as f64),
            _ => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.words(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let head = self.0.head();
        match self.0.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|e: Error| e.at(head))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            Kind::Null => visitor.visit_unit(),
            _ => Err(Error::mismatch(self.0, &visitor)),
        }
        .map_err(|e| e.at(self.0.head()))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let head = self.0.head();
        visitor.visit_newtype_struct(self).map_err(|e: Error| e.at(head))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (Value(self.0).view(), self.0.as_text()) {
            (Some(view), _) => view.deserialize_tuple_struct(name, len, visitor),
            // A word has no fields: they are absent for all members but the last, which it is.
            (None, Some(_)) => {
                let view = View::empty(self.0.span);
                let members = Members { view, left: len, word: Some(self.0) };
                visitor.visit_seq(members).map_err(|e| e.at(self.0.span))
            }
            (None, None) => self.list(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match Value(self.0).view() {
            Some(view) => view.deserialize_map(visitor),
            None => Err(Error::mismatch(self.0, &visitor).at(self.0.span)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (Value(self.0).view(), &self.0.kind) {
            (Some(view), _) => view.deserialize_struct(name, fields, visitor),
            // A derived struct would take a list as its fields in order, which nobody can read.
            (None, Kind::Seq(_)) => Err(Error::mismatch(self.0, &visitor).at(self.0.span)),
            (None, _) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(view) = Value(self.0).view() {
            return view.deserialize_enum(name, variants, visitor);
        }
        let span = self.0.span;
        let Some(word) = self.0.as_text() else {
            return Err(Error::mismatch(self.0, &visitor).at(span));
        };
        if KIND_TAGGED.contains(&name) {
            let error = Error::mismatch(self.0, &"a map, `{ kind: …, field: value, … }`");
            return Err(error.at(span));
        }
        if !variants.contains(&word) {
            return Err(<Error as de::Error>::unknown_variant(word, variants).at(span));
        }
        let content = View { tag: Tag::Word(word), ..View::empty(span) };
        visitor.visit_enum(Variant { name: word, content }).map_err(|e| e.at(span))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf }
}

struct Items<'de> {
    items: &'de [Tree],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let index = self.next;
        let Some(item) = self.items.get(index) else {
            return Ok(None);
        };
        self.next += 1;
        seed.deserialize(Value(item))
            .map(Some)
            .map_err(|e| e.at(item.head()).inside(item_segment(self.items, index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

/// The deserializer of a key.
pub(super) struct Name<'de>(pub(super) &'de str);

impl<'de> Name<'de> {
    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match Kind::plain(self.0) {
            Kind::Int(value, _) => visit_int(value, visitor),
            _ => visitor.visit_borrowed_str(self.0),
        }
    }
}

macro_rules! key_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.integer(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Name<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    key_numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: Fields,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
