// Invariants:
// - A handle's number is (serial << 3 | kind); serials grow and are never given twice, so that a closed number stays
//   invalid for ever. Handles are never pointers: a wrong one finds nothing.
// - A table belongs to one process. In a fork()ed child a new one takes its place, without a touch of the old one's
//   lock, which another thread may have held; the old one's objects are never released there, for their locks and
//   threads are the parent's.
// - No handle is added under a scope that is closed. Objects go outside the lock.
import CKVPager
import KVPager
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

enum HandleKind: UInt64, CaseIterable {
  case store = 1
  case space = 2
  case session = 3
  case prefix = 4
  case state = 5

  init?(of handle: UInt64) { self.init(rawValue: handle & 7) }

  var name: String { "\(self)" }
}

/// What a handle stands for.
protocol HandledObject: AnyObject, Sendable {
  static var kind: HandleKind { get }
  /// Whose calls a close waits for: the store's that it was opened under, or its own.
  var scope: CallScope { get }
}

/// All open handles of the process.
final class HandleTable: Sendable {
  private static let nextSerial = Atomic<UInt64>(1)
  private static let current = Atomic<Unmanaged<HandleTable>>(.passRetained(HandleTable(firstSerial: 1)))

  private let processID = getpid()
  /// Handles of lower serials are those of the process that this one was forked from.
  private let firstSerial: UInt64
  private let objects = Lock<[UInt64: any HandledObject]>([:])

  private init(firstSerial: UInt64) { self.firstSerial = firstSerial }

  /// This process's table. Takes no lock.
  private static var ofThisProcess: HandleTable {
    let held = current.load(ordering: .acquiring)
    let table = held._withUnsafeGuaranteedRef { $0 }
    guard table.processID != getpid() else { return table }
    let fresh = Unmanaged.passRetained(HandleTable(firstSerial: nextSerial.load(ordering: .acquiring)))
    let (isExchanged, winner) = current.compareExchange(
      expected: held, desired: fresh, ordering: .acquiringAndReleasing)
    if isExchanged { return fresh._withUnsafeGuaranteedRef { $0 } }
    fresh.release()
    return winner._withUnsafeGuaranteedRef { $0 }
  }

  /// Gives `object` a handle.
  static func add<Object: HandledObject>(_ object: Object) throws(CallError) -> UInt64 {
    let handle = nextSerial.wrappingAdd(1, ordering: .relaxed).oldValue << 3 | Object.kind.rawValue
    let isOpen = ofThisProcess.objects.withLock { objects in
      guard object.scope.isOpen else { return false }
      objects[handle] = object
      return true
    }
    guard isOpen else { throw CallError(KVPAGER_INVALID_HANDLE, "the store was closed meanwhile; open it again") }
    return handle
  }

  /// Runs a call on what `handle` stands for. A close of its scope waits for it.
  static func use<Object: HandledObject, R>(
    _ handle: UInt64, as _: Object.Type = Object.self, _ body: (Object) throws -> R
  ) throws -> R {
    let table = ofThisProcess
    let object = table.objects.withLock { objects -> Object? in
      guard let object = objects[handle] as? Object else { return nil }
      object.scope.enter()
      return object
    }
    guard let object else { throw table.refusal(handle, Object.kind) }
    defer { object.scope.leave() }
    return try body(object)
  }

  /// Makes `handle` invalid: calls under way on it end well. Returns what it stood for.
  static func remove<Object: HandledObject>(
    _ handle: UInt64, as _: Object.Type = Object.self
  ) throws(CallError) -> Object {
    let table = ofThisProcess
    let object = table.objects.withLock { objects -> Object? in
      guard let object = objects[handle] as? Object else { return nil }
      objects[handle] = nil
      return object
    }
    guard let object else { throw table.refusal(handle, Object.kind) }
    return object
  }

  /// Makes `handle`, whose object has a scope of its own, invalid with every handle of that scope, and waits for the
  /// calls under way there.
  static func removeScope<Object: HandledObject>(
    of handle: UInt64, as _: Object.Type = Object.self
  ) throws(CallError) -> Object {
    let table = ofThisProcess
    let (object, others) = table.objects.withLock { objects -> (Object?, [any HandledObject]) in
      guard let object = objects[handle] as? Object else { return (nil, []) }
      object.scope.close()
      let handles = objects.filter { $0.value.scope === object.scope }
      for handle in handles.keys { objects[handle] = nil }
      return (object, Array(handles.values))
    }
    guard let object else { throw table.refusal(handle, Object.kind) }
    object.scope.waitForCalls()
    withExtendedLifetime(others) {}
    return object
  }

  private func refusal(_ handle: UInt64, _ kind: HandleKind) -> CallError {
    let serial = handle >> 3
    guard handle != 0 else {
      return CallError(KVPAGER_INVALID_HANDLE, "the handle is 0; a \(kind.name) is wanted")
    }
    guard serial > 0, serial < Self.nextSerial.load(ordering: .acquiring), let found = HandleKind(of: handle) else {
      return CallError(KVPAGER_INVALID_HANDLE, "\(handle) was never a handle; a \(kind.name) is wanted")
    }
    guard serial >= firstSerial else {
      return CallError(
        KVPAGER_FORKED, "the \(found.name) was opened before fork(); open the store anew in this process")
    }
    guard found == kind else {
      return CallError(KVPAGER_INVALID_HANDLE, "the handle is a \(found.name)'s; a \(kind.name) is wanted")
    }
    return CallError(KVPAGER_INVALID_HANDLE, "the \(kind.name) was closed; open it again")
  }
}
