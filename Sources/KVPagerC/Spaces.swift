import CKVPager
import KVPager

// kvpager.h, "Cache space".

@c @implementation
public func kvpager_space_open(
  _ store: kvpager_store, _ descriptor: UnsafePointer<CChar>!, _ space: UnsafeMutablePointer<kvpager_space>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(space, "space")
    var descriptor = try SpaceDescriptor(descriptor)
    let layout = try descriptor.layout()
    result.pointee = try HandleTable.use(store, as: OpenStore.self) {
      let space = try $0.store.cacheSpace(for: descriptor.fingerprint, layout: layout)
      return try HandleTable.add(OpenSpace(space, $0.scope))
    }
  }
}

@c @implementation
public func kvpager_space_open_id(
  _ store: kvpager_store, _ id: Int64, _ space: UnsafeMutablePointer<kvpager_space>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(space, "space")
    guard let number = UInt32(exactly: id) else {
      throw StoreError.invalidArgument("id is \(id); kvpager_store_spaces tells those that there are")
    }
    result.pointee = try HandleTable.use(store, as: OpenStore.self) {
      try HandleTable.add(OpenSpace(try $0.store.cacheSpace(SpaceID(rawValue: number)), $0.scope))
    }
  }
}

@c @implementation
public func kvpager_space_describe(
  _ space: kvpager_space, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(json)
    try HandleTable.use(space, as: OpenSpace.self) { try answer.give($0.space.json) }
  }
}

@c @implementation
public func kvpager_space_insert(
  _ space: kvpager_space, _ tokens: UnsafePointer<Int32>!, _ token_count: Int64, _ planes: UnsafePointer<kvpager_rows>!,
  _ plane_count: Int64, _ sharing: kvpager_sharing
) -> kvpager_status {
  answering {
    let sharing = try Argument.sharing(sharing)
    try HandleTable.use(space, as: OpenSpace.self) {
      let tokens = try Argument.tokens(tokens, token_count)
      let rows = try PlaneTable(
        planes, count: plane_count, layout: $0.space.layout, rowCount: tokens.count, needsAll: true)
      try $0.space.insert(tokens, sharing: sharing) { rows.write(to: $0) }
    }
  }
}

@c @implementation
public func kvpager_space_insert_state(
  _ space: kvpager_space, _ state: kvpager_state, _ sharing: kvpager_sharing
) -> kvpager_status {
  answering {
    let sharing = try Argument.sharing(sharing)
    try HandleTable.use(space, as: OpenSpace.self) { space in
      try HandleTable.use(state, as: OpenState.self) {
        try space.space.insert($0.state, sharing: sharing)
      }
    }
  }
}

@c @implementation
public func kvpager_space_longest_checkpoint(
  _ space: kvpager_space, _ tokens: UnsafePointer<Int32>!, _ token_count: Int64,
  _ name: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> kvpager_status {
  answering {
    let answer = try TextAnswer(name, "name")
    let tokens = try Argument.tokens(tokens, token_count)
    try HandleTable.use(space, as: OpenSpace.self) {
      if let name = try $0.space.longestCheckpoint(within: tokens) {
        try answer.give(name)
      } else {
        answer.giveNothing()
      }
    }
  }
}

@c @implementation
public func kvpager_space_resume(
  _ space: kvpager_space, _ name: UnsafePointer<CChar>!, _ session: UnsafeMutablePointer<kvpager_session>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(session, "session")
    let name = try Argument.text(name, "name")
    result.pointee = try HandleTable.use(space, as: OpenSpace.self) {
      try HandleTable.add(OpenSession(try $0.space.session(named: name), $0.scope))
    }
  }
}

@c @implementation
public func kvpager_space_delete_session(_ space: kvpager_space, _ name: UnsafePointer<CChar>!) -> kvpager_status {
  answering {
    let name = try Argument.text(name, "name")
    try HandleTable.use(space, as: OpenSpace.self) { try $0.space.deleteSession(named: name) }
  }
}

@c @implementation
public func kvpager_space_close(_ space: kvpager_space) -> kvpager_status {
  answering {
    guard space != 0 else { return }
    _ = try HandleTable.remove(space, as: OpenSpace.self)
  }
}
