/** Namespaces, and the containers in them. */

/** One namespace of a container. */
export interface ContainerNamespace {
  /** pid, net, ipc, mnt, uts, user, cgroup or time. */
  readonly type: string;
  readonly inode: number;
  readonly relation: 'host' | 'shared' | 'private';
  /** The other containers in the namespace. */
  readonly sharedWith: readonly { readonly id: string; readonly name: string }[];
}

export interface NamespaceEntry {
  readonly type: string;
  readonly inode: number;
  readonly isHost: boolean;
  /** Containers in the namespace, by name. */
  readonly members: readonly { readonly id: string; readonly name: string }[];
}

export interface NamespaceMap {
  readonly namespaces: readonly NamespaceEntry[];
}
