import CKVPager
import KVInterchange
import KVPager

// kvpager.h, "An engine's state".

@c @implementation
public func kvpager_state_open(
  _ bytes: UnsafeRawPointer!, _ size: Int64, _ tokens: UnsafePointer<Int32>!, _ token_count: Int64,
  _ state: UnsafeMutablePointer<kvpager_state>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(state, "state")
    let bytes = try Argument.bytes(bytes, size)
    let tokens = try Argument.optionalTokens(tokens, token_count)
    result.pointee = try HandleTable.add(OpenState(ByteSource(borrowing: bytes), tokens: tokens))
  }
}

@c @implementation
public func kvpager_state_open_file(
  _ path: UnsafePointer<CChar>!, _ tokens: UnsafePointer<Int32>!, _ token_count: Int64,
  _ state: UnsafeMutablePointer<kvpager_state>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(state, "state")
    let path = try Argument.text(path, "path")
    let tokens = try Argument.optionalTokens(tokens, token_count)
    result.pointee = try HandleTable.add(OpenState(try ByteSource(path: path), tokens: tokens))
  }
}

@c @implementation
public func kvpager_state_describe(
  _ state: kvpager_state, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(json)
    try HandleTable.use(state, as: OpenState.self) { try answer.give($0.json) }
  }
}

@c @implementation
public func kvpager_state_tokens(
  _ state: kvpager_state, _ tokens: UnsafeMutablePointer<Int32>!, _ capacity: Int64,
  _ count: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let answer = try TokenAnswer(tokens, capacity, count)
    try HandleTable.use(state, as: OpenState.self) { try answer.give($0.state.tokens) }
  }
}

@c @implementation
public func kvpager_state_space(
  _ state: kvpager_state, _ store: kvpager_store, _ descriptor: UnsafePointer<CChar>!,
  _ space: UnsafeMutablePointer<kvpager_space>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(space, "space")
    var descriptor = try SpaceDescriptor(descriptor)
    result.pointee = try HandleTable.use(state, as: OpenState.self) { open in
      let layout = try descriptor.layout(of: open.state.planes)
      try open.complete(&descriptor.fingerprint)
      return try HandleTable.use(store, as: OpenStore.self) {
        let space = try $0.store.cacheSpace(for: descriptor.fingerprint, layout: layout)
        return try HandleTable.add(OpenSpace(space, $0.scope))
      }
    }
  }
}

@c @implementation
public func kvpager_state_close(_ state: kvpager_state) -> kvpager_status {
  answering {
    guard state != 0 else { return }
    _ = try HandleTable.removeScope(of: state, as: OpenState.self)
  }
}
