import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { messageOf } from '../errors.js';
import { RabbitMqPublisher } from './rabbitmq-publisher.js';
import { assertTopics } from './rabbitmq-topology.js';

/**
 * Publishes to topic exchanges, on a channel apart: other programs work at these exchanges, and one that deletes one
 * makes the broker close the channel of the next publish. The exchange is then declared again, the message sent again.
 */
export class RabbitMqTopicPublisher extends RabbitMqPublisher {
  protected override async open(model: ChannelModel): Promise<ConfirmChannel> {
    // On a channel of its own: one that exists in another form must not keep this one from coming back once it is cured.
    const declaring = await model.createChannel();
    declaring.on('error', () => undefined); // the call that fails rejects with the same error
    await assertTopics(declaring, this.home.queuePrefix).then(
      () => declaring.close(),
      (error: unknown) => this.log.error(messageOf(error)),
    );
    return super.open(model);
  }
}
