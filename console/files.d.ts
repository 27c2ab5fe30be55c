declare module '*.css';
/** The text of a file of GraphQL operations. */
declare module '*.graphql' {
  const text: string;
  export default text;
}
