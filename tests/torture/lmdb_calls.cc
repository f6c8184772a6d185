// lmdb_calls.cc - the functions of LMDB that may find something full, passed by the observer.
//
// LMDB spills pages before a transaction is full, grows into whatever map it has, and finds a place
// for every reader while there is one: what it says when it cannot is met here, as it says it. A
// transaction in which a call was refused is spoilt, and can only be given up.
#include <dlfcn.h>
#include <lmdb.h>

#include "torture/system_calls.h"

namespace skerry::torture {
namespace {

using Kind = SystemCall::Kind;

// Of this thread: there is one writer at a time, and it stays on its thread.
constinit thread_local const MDB_txn* writing = nullptr;
constinit thread_local bool is_spoilt = false;

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

// 0, or the error to return instead of making the call.
int ask(Kind kind, const char* name) {
  if (kind != Kind::snapshot && is_spoilt) return MDB_BAD_TXN;
  SystemCall call{.kind = kind, .name = name};
  const int refused = refusal_of(call);
  if (kind == Kind::change) is_spoilt = refused != 0;
  return refused;
}

}  // namespace
}  // namespace skerry::torture

namespace torture = skerry::torture;

#pragma GCC visibility push(default)
extern "C" {

int mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn) {
  static const auto next = torture::next<decltype(&mdb_txn_begin)>("mdb_txn_begin");
  if ((flags & MDB_RDONLY) != 0) {
    const int refused = torture::ask(torture::Kind::snapshot, "mdb_txn_begin");
    return refused != 0 ? refused : next(env, parent, flags, txn);
  }
  const int error = next(env, parent, flags, txn);
  if (error == 0) torture::writing = *txn;
  torture::is_spoilt = false;
  return error;
}

int mdb_txn_commit(MDB_txn* txn) {
  static const auto next = torture::next<decltype(&mdb_txn_commit)>("mdb_txn_commit");
  if (txn != torture::writing) return next(txn);
  torture::writing = nullptr;
  const int refused = torture::ask(torture::Kind::commit, "mdb_txn_commit");
  if (refused == 0) return next(txn);
  mdb_txn_abort(txn);
  return refused;
}

int mdb_put(MDB_txn* txn, MDB_dbi table, MDB_val* key, MDB_val* value, unsigned flags) {
  static const auto next = torture::next<decltype(&mdb_put)>("mdb_put");
  const int refused = torture::ask(torture::Kind::change, "mdb_put");
  return refused != 0 ? refused : next(txn, table, key, value, flags);
}

int mdb_del(MDB_txn* txn, MDB_dbi table, MDB_val* key, MDB_val* value) {
  static const auto next = torture::next<decltype(&mdb_del)>("mdb_del");
  const int refused = torture::ask(torture::Kind::change, "mdb_del");
  return refused != 0 ? refused : next(txn, table, key, value);
}

int mdb_cursor_del(MDB_cursor* cursor, unsigned flags) {
  static const auto next = torture::next<decltype(&mdb_cursor_del)>("mdb_cursor_del");
  const int refused = torture::ask(torture::Kind::change, "mdb_cursor_del");
  return refused != 0 ? refused : next(cursor, flags);
}

}  // extern "C"
#pragma GCC visibility pop
