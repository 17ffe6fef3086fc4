// What the benchmark uses of DBOS. It is installed on first use only.

declare module '@dbos-inc/dbos-sdk' {
  export interface WorkflowHandle<T> {
    getResult(): Promise<T>
  }

  export const DBOS: {
    registerWorkflow<T>(work: () => Promise<T>, options: { readonly name: string }): () => Promise<T>
    runStep<T>(work: () => Promise<T>, options: { readonly name: string }): Promise<T>
    startWorkflow<T>(workflow: () => Promise<T>): () => Promise<WorkflowHandle<T>>
    setConfig(config: object): void
    launch(): Promise<void>
    shutdown(): Promise<void>
  }
}
