"""arrow.py - a producer of Arrow arrays made by hand, for want of pyarrow.

It lays out the two structures of Arrow's C data interface with ctypes and counts what is released.
"""
import ctypes

import numpy as np


class Schema(ctypes.Structure):
    pass


class Array(ctypes.Structure):
    pass


SCHEMA_RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))
ARRAY_RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))
Schema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64), ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(Schema))), ("dictionary", ctypes.POINTER(Schema)),
    ("release", SCHEMA_RELEASE), ("private_data", ctypes.c_void_p)]
Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(Array))), ("dictionary", ctypes.POINTER(Array)),
    ("release", ARRAY_RELEASE), ("private_data", ctypes.c_void_p)]

FORMATS = {"int8": b"c", "uint8": b"C", "int32": b"i", "uint32": b"I", "int64": b"l",
           "uint64": b"L", "float16": b"e", "float32": b"f", "float64": b"g"}

_capsule_new = ctypes.pythonapi.PyCapsule_New
_capsule_new.restype = ctypes.py_object
_capsule_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
_DESTRUCTOR = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)


def _destroyer(name, kind):
    def destroy(capsule):
        pointer = ctypes.cast(_capsule_pointer(capsule, name), ctypes.POINTER(kind))
        if pointer.contents.release:
            pointer.contents.release(pointer)

    return _DESTRUCTOR(destroy)


_SCHEMA_NAME, _ARRAY_NAME = b"arrow_schema", b"arrow_array"
_destroy_schema = _destroyer(_SCHEMA_NAME, Schema)
_destroy_array = _destroyer(_ARRAY_NAME, Array)


class ArrowArray:
    """A numpy array of one axis as an Arrow array, of two axes as FixedSizeList."""

    def __init__(self, values, offset=0, length=None, nulls=None, format=None):
        self.values = np.ascontiguousarray(values)
        self.offset = offset
        self.length = len(values) - offset if length is None else length
        self.nulls = nulls
        self.format = format.encode() if format else FORMATS[str(self.values.dtype)]
        self.texts = None
        self.exported = 0
        self.released = 0

    @classmethod
    def of_texts(cls, texts, large=False):
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([0] + [len(text) for text in encoded])
        array = cls(ends.astype(np.int64 if large else np.int32), length=len(texts),
                    format="U" if large else "u")
        array.texts = b"".join(encoded)
        return array

    def __arrow_c_array__(self, requested_schema=None):
        self.exported += 1
        self._keep = keep = []
        is_list = self.values.ndim == 2

        def schema(format, children=()):
            item = Schema(format=format, n_children=len(children))
            if children:
                item.children = (ctypes.POINTER(Schema) * 1)(ctypes.pointer(children[0]))
            item.release = self._release(SCHEMA_RELEASE)
            keep.append(item)
            return item

        def array(length, offset, buffers, children=(), null_count=0):
            pointers = (ctypes.c_void_p * len(buffers))(*buffers)
            item = Array(length=length, offset=offset, null_count=null_count,
                         n_buffers=len(buffers), n_children=len(children), buffers=pointers)
            if children:
                item.children = (ctypes.POINTER(Array) * 1)(ctypes.pointer(children[0]))
            item.release = self._release(ARRAY_RELEASE)
            keep.extend((item, pointers))
            return item

        validity = None
        if self.nulls is not None:
            bits = np.ones(self.offset + self.length, np.uint8)
            bits[self.nulls] = 0
            packed = np.packbits(bits, bitorder="little")
            keep.append(packed)
            validity = packed.ctypes.data
        null_count = -1 if self.nulls is not None else 0
        data = self.values.ctypes.data
        if is_list:
            child = array(self.values.size, 0, [None, data])
            top = array(self.length, self.offset, [validity], [child], null_count)
            top_schema = schema(b"+w:%d" % self.values.shape[1], [schema(self.format)])
        else:
            buffers = [validity, data]
            if self.texts is not None:
                text = ctypes.create_string_buffer(self.texts, len(self.texts) + 1)
                keep.append(text)
                buffers.append(ctypes.addressof(text))
            top = array(self.length, self.offset, buffers, null_count=null_count)
            top_schema = schema(self.format)
        return (_capsule_new(ctypes.addressof(top_schema), _SCHEMA_NAME, _destroy_schema),
                _capsule_new(ctypes.addressof(top), _ARRAY_NAME, _destroy_array))

    def _release(self, kind):
        def release(item):
            item.contents.release = kind()
            self.released += 1

        function = kind(release)
        self._keep.append(function)
        return function

    @staticmethod
    def take(capsule):
        """What a consumer does that moves the structure out of its capsule."""
        address = _capsule_pointer(id(capsule), _ARRAY_NAME)
        ctypes.cast(address, ctypes.POINTER(Array)).contents.release = ARRAY_RELEASE()
