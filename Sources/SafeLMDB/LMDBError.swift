import CSystemLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// What LMDB or the operating system answered: the raw code, which asks `mdb_strerror` for its words.
package struct LMDBError: Error, Hashable, Sendable, CustomStringConvertible {
  package let code: Int32

  package init(code: Int32) { self.code = code }

  /// LMDB's own words, or the operating system's.
  package var description: String { "\(String(cString: mdb_strerror(code))) [\(code)]" }

  package static let mapFull = LMDBError(code: MDB_MAP_FULL)
  package static let mapResized = LMDBError(code: MDB_MAP_RESIZED)
  package static let invalid = LMDBError(code: MDB_INVALID)
  package static let versionMismatch = LMDBError(code: MDB_VERSION_MISMATCH)
  package static let corrupted = LMDBError(code: MDB_CORRUPTED)
  package static let pageNotFound = LMDBError(code: MDB_PAGE_NOTFOUND)
  package static let panic = LMDBError(code: MDB_PANIC)
  package static let notFound = LMDBError(code: MDB_NOTFOUND)
  package static let keyExists = LMDBError(code: MDB_KEYEXIST)
  package static let readersFull = LMDBError(code: MDB_READERS_FULL)
  package static let badValueSize = LMDBError(code: MDB_BAD_VALSIZE)
  package static let incompatible = LMDBError(code: MDB_INCOMPATIBLE)
  package static let transactionFull = LMDBError(code: MDB_TXN_FULL)
  package static let noSpace = LMDBError(code: ENOSPC)
  package static let quotaExceeded = LMDBError(code: EDQUOT)
  package static let inputOutput = LMDBError(code: EIO)
  package static let accessDenied = LMDBError(code: EACCES)
  package static let notPermitted = LMDBError(code: EPERM)
  package static let readOnlyFileSystem = LMDBError(code: EROFS)
  package static let noSuchFile = LMDBError(code: ENOENT)
  package static let noMemory = LMDBError(code: ENOMEM)
  package static let fileTooLarge = LMDBError(code: EFBIG)
  /// The file is open already in this process: `lmdb.h` forbids a second environment on it.
  package static let alreadyOpen = LMDBError(code: EBUSY)
  /// Others committed twice while a snapshot was read that no lock kept: its pages may have been written over.
  package static let overtaken = LMDBError(code: ESTALE)
  /// The environment was closed.
  package static let closed = LMDBError(code: EBADF)
  /// This process is a fork()ed child of the one that opened the environment.
  package static let forked = LMDBError(code: ECHILD)
}

/// An error type that can carry an ``LMDBError``: scoped calls throw their body's error type, and LMDB's own errors
/// arrive as one of those.
package protocol LMDBErrorConvertible: Error {
  init(_ error: LMDBError)
}

extension LMDBError: LMDBErrorConvertible {
  package init(_ error: LMDBError) { self = error }
}

/// Every call of LMDB that answers a code goes through here.
@inline(__always)
func check(_ code: Int32) throws(LMDBError) {
  if code != MDB_SUCCESS { throw LMDBError(code: code) }
}
